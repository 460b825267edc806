#!/usr/bin/python3
"""Reads the machine code of an image and refuses

* vector, MMX and x87 instructions, because those registers hold the guest's values;
* memory accesses below the stack pointer (the ABI's red zone), because an interrupt writes there.

It covers everything that was linked: assembly, the C library and the compiler's own helpers too.
"""

import re
import subprocess
import sys

# function: (vector or x87 instructions it may use, reason)
ALLOWED = {
    'hw_xsetbv_safe': (('xsetbv',), "runs the guest's XSETBV for it; touches no vector register"),
    'hw_xsave': (('xsave64',), "saves the guest's registers while isolated code has them"),
    'hw_xrstor': (('xrstor64',), "gives isolated code initial ones, and the guest its own again"),
}

REGISTER = re.compile(r'%(?:[xyz]?mm[0-9]+|st\b|k[0-7]\b|bnd[0-3])')
# The assembler's x87 instructions all start with f; xsave and its like move whole register files.
INSTRUCTION = re.compile(
    r'f[a-z0-9]+|v?(?:ld|st)mxcsr|x(?:save|rstor)[a-z0-9]*|xsetbv|emms|vzero.*')
PREFIXES = {'lock', 'rep', 'repz', 'repnz', 'data16', 'cs', 'ds', 'es', 'ss', 'fs', 'gs', 'addr32',
            'notrack', 'bnd'}
BELOW = re.compile(r'-0x([0-9a-f]+)\(%r(sp|bp)[,)]')


def functions(elf):
    """Yields (name, [(mnemonic, text)])."""
    listing = subprocess.run(['objdump', '-d', '--no-show-raw-insn', elf], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    name, code = None, []
    for line in listing.splitlines():
        label = re.match(r'[0-9a-f]+ <(.+)>:$', line)
        if label:
            if code:
                yield name, code
            name, code = label.group(1), []
            continue
        instruction = re.match(r' *[0-9a-f]+:\t(.*)$', line)
        if instruction:
            text = ' '.join(re.sub(r'<[^>]*>|#.*', '', instruction.group(1)).split())
            words = text.split()
            while words and (words[0] in PREFIXES or words[0].startswith('rex')):
                words.pop(0)
            code.append((words[0] if words else '', text))
    if code:
        yield name, code


def vector_faults(name, code):
    allowed = ALLOWED.get(name, ((), ''))[0]
    for mnemonic, text in code:
        if (REGISTER.search(text) or INSTRUCTION.fullmatch(mnemonic)) and mnemonic not in allowed:
            yield 'vector or x87 code in %s: %s' % (name, text)


def red_zone_faults(name, code):
    """Behind a frame pointer, the stack pointer is at least as low as all pushes and subtractions
    of the function together."""
    framed = any(text.startswith('mov %rsp,%rbp') for _, text in code)
    room = 0
    for _, text in code:
        subtraction = re.match(r'sub \$0x([0-9a-f]+),%rsp', text)
        addition = re.match(r'add \$0x(f[0-9a-f]{15}),%rsp', text)  # of -128 is the shorter one
        if subtraction:
            room += int(subtraction.group(1), 16)
        elif addition:
            room += (1 << 64) - int(addition.group(1), 16)
        elif text.startswith('push') and text != 'push %rbp':
            room += 8
    for mnemonic, text in code:
        below = BELOW.search(text)
        if below and not mnemonic.startswith(('lea', 'nop')):
            from_rsp = below.group(2) == 'sp'
            if from_rsp or (framed and int(below.group(1), 16) > room):
                yield 'access below the stack pointer in %s: %s' % (name, text)


def main():
    faults, count = [], 0
    for name, code in functions(sys.argv[1]):
        faults += [*vector_faults(name, code), *red_zone_faults(name, code)]
        count += len(code)
    if count == 0:
        faults = ['no code found']
    for fault in faults[:10]:
        print('%s: %s' % (sys.argv[1], fault), file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
