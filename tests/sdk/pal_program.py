"""A program with a PAL, of either width, and its measurements by Python's own hash functions."""

import hashlib
import os
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = r'''
#include <nacre/pal_file.h>
extern const char code_start[], code_end[], data_start[], data_end[];
__attribute__((section(".pal.data"))) unsigned long words[3] = {0, 0x1122334455667788 & ~0UL, 3};
__attribute__((section(".pal.bss"))) char zeros[5000];
__attribute__((section(".pal.code"))) unsigned long padding(void) { return words[1]; }
__attribute__((section(".pal.code"))) unsigned long entry(unsigned long word)
{
    return word + words[2] + zeros[7];
}
void _start(void) { for (;;) { } }
__attribute__((section(".pal_descriptor"), used)) struct pal_description description = {
    PAL_FILE_MAGIC, PAL_FILE_VERSION, TV_PAL_VECTOR, sizeof(long), 2, {entry},
    {code_start}, {code_end}, {data_start}, {data_end}, {words}, 1, 2, "scales",
    {{TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_POINTER, TV_IN_OUT, 77},
     [2 ... TV_PARAMS_MAX - 1] = {TV_PARAM_INTEGER, 0, 0}}}; /* not used, but right */
'''
SCRIPT = '''
ENTRY(_start)
SECTIONS {
    . = 0x400000;
    .text : { *(.text*) }
    .pal_descriptor : ALIGN(4096) { KEEP(*(.pal_descriptor)) }
    .pal_code 0x10000000 : { code_start = .; *(.pal.code) . = ALIGN(4096); code_end = .; }
    .pal_data 0x10010000 : { data_start = .; *(.pal.data) }
    .pal_bss : { *(.pal.bss) . = ALIGN(4096); data_end = .; }
    /DISCARD/ : { *(.note* .comment .eh_frame*) }
}
'''
# Offsets in struct pal_description.
VERSION, FLAGS, WORD_BYTES, PARAMETERS, ENTRY, CODE, CODE_END, DATA, DATA_END, HOOK, PARAM_PAGES, \
    STACK_PAGES, NAME, PARAMETER = 8, 12, 16, 20, 24, 32, 40, 48, 56, 64, 72, 76, 80, 112


def make(folder, width):
    """Path of a new program."""
    program = os.path.join(folder, 'program%d' % width)
    script = os.path.join(folder, 'script.lds')
    with open(script, 'w', encoding='ascii') as file:
        file.write(SCRIPT)
    subprocess.run(['gcc', '-m%d' % width, '-O2', '-w', '-ffreestanding', '-fno-pie', '-no-pie',
                    '-nostdlib', '-static', '-Wl,--build-id=none,-z,separate-code,-T,' + script,
                    '-I' + os.path.join(ROOT, 'build/sdk/include'), '-x', 'c', '-', '-o', program],
                   input=SOURCE, text=True, check=True)
    return program


def content(program, section):
    """Bytes of a section, by objcopy."""
    out = program + '.section'
    subprocess.run(['objcopy', '-O', 'binary', '-j', section, program, out], check=True)
    with open(out, 'rb') as file:
        return file.read()


def symbol(program, name):
    """Address of a symbol, by nm."""
    listing = subprocess.run(['nm', program], stdout=subprocess.PIPE, text=True, check=True).stdout
    address, = [line.split()[0] for line in listing.splitlines() if line.split()[-1] == name]
    return int(address, 16)


def measure(program, width):
    """(SHA-256, SHA-1) as docs/pal-interface.md says, of the program above."""
    data = content(program, '.pal_data')
    data += bytes(symbol(program, 'data_end') - symbol(program, 'data_start') - len(data))
    head = struct.pack('<IIIIQ', 1, width // 8, 1, 2, symbol(program, 'entry'))
    head += struct.pack('<IIQIIQ', 1, 0, 0, 2, 3, 77)
    parts = [struct.pack('<IQQ', kind, symbol(program, start), len(body)) + body
             for kind, start, body in [(1, 'code_start', content(program, '.pal_code')),
                                       (2, 'data_start', data)]]
    parts += [struct.pack('<IQ', kind, 4096 * pages) + bytes(4096 * pages)
              for kind, pages in [(3, 1), (4, 2)]]
    found = []
    for function, first in (hashlib.sha256, [head]), (hashlib.sha1, []):
        value = bytes(function().digest_size)
        for part in first + parts:
            value = function(value + function(part).digest()).digest()
        found.append(value.hex())
    return found
