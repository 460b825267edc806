#!/usr/bin/python3
"""Function names for stack traces: turns a linked image into an assembly file with a sorted table.

nacre_symtab          array of {u32 offset from image_start; u32 offset into nacre_symtab_names}
nacre_symtab_count    u32
nacre_symtab_names    NUL-terminated names
nacre_symtab_library  u8 for each entry: index of its library, in the order of the budgets
nacre_stack_computed  u32 for each stack: the worst case in bytes, in the order of the proof's list

The last two come from the stack proof of the first link (stack.py).

The image is linked twice: with an empty table, then with the real one. The table lies behind all
code, so no function may move; --same verifies that.
"""

import argparse
import json
import subprocess
import sys

STACKS = 5  # main, NMI, #DF, #MC, boot


def functions(elf):
    """Sorted (address, name), one name for each address."""
    listing = subprocess.run(['nm', '-f', 'sysv', elf], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
    best = {}
    start = None
    for line in listing.splitlines():
        fields = [field.strip() for field in line.split('|')]
        if len(fields) != 7 or not fields[1]:
            continue
        name, value, kind, elf_type = fields[0], int(fields[1], 16), fields[2], fields[3]
        if name == 'image_start':
            start = value
        if kind not in ('T', 't', 'W', 'w') or name.startswith('.L'):
            continue
        # Several names at one address: a function before a label, a global before a local.
        rank = (elf_type != 'FUNC', kind not in ('T', 'W'), name)
        if value not in best or rank < best[value]:
            best[value] = rank
    if start is None:
        sys.exit('%s: the linker script defines no image_start' % elf)
    return start, [(value, best[value][2]) for value in sorted(best) if value >= start]


def assembly(start, table, proof):
    lines = ['/* Made by tools/build/symtab.py. */',
             '    .section .rodata.symtab, "a"', '    .balign 8',
             '    .globl nacre_symtab, nacre_symtab_count, nacre_symtab_names',
             '    .globl nacre_symtab_library, nacre_stack_computed',
             'nacre_symtab_count:', '    .long %d' % len(table), 'nacre_stack_computed:']
    lines += ['    .long %d' % bytes_ for bytes_ in proof['stacks']]
    lines += ['nacre_symtab_library:']
    lines += ['    .byte %d' % proof['library_of'].get('%x' % address, proof['other'])
              for address, _ in table]
    lines += ['    .balign 8', 'nacre_symtab:']
    names = []
    offset = 0
    for address, name in table:
        lines.append('    .long 0x%x, %d' % (address - start, offset))
        names.append('    .asciz "%s"' % name)
        offset += len(name) + 1
    return '\n'.join(lines + ['nacre_symtab_names:'] + names
                     + ['    .byte 0', '    .section .note.GNU-stack, "", @progbits', ''])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('elf', nargs='*')
    parser.add_argument('-o', dest='output')
    parser.add_argument('--proof', help="the stack proof's result")
    parser.add_argument('--empty', action='store_true', help='write an empty table')
    parser.add_argument('--same', action='store_true', help='compare the functions of two images')
    arguments = parser.parse_args()
    if arguments.same:
        first, second = map(functions, arguments.elf)
        if first != second:
            moved = sorted(set(first[1]) ^ set(second[1]))[:1] or [(first[0], 'image_start')]
            sys.exit('symtab: code moved between the two links, first %s at 0x%x: the linker '
                     'script must put .rodata.symtab behind all code' % moved[0][::-1])
        return
    start, table = (0, []) if arguments.empty else functions(arguments.elf[0])
    proof = {'stacks': [0] * STACKS, 'library_of': {}, 'other': 0}
    if arguments.proof:
        with open(arguments.proof, encoding='ascii') as file:
            proof = json.load(file)
    with open(arguments.output, 'w', encoding='ascii') as file:
        file.write(assembly(start, table, proof))


if __name__ == '__main__':
    main()
