"""What every image is checked for, and that it is the same wherever it is built."""

import os
import struct
import subprocess
import unittest

import tree

FRAME = '''
int base_planted(void);
void base_planted_use(char *);
int base_planted(void)
{
    char room[%s];
    base_planted_use(room);
    return room[0];
}
'''

ASSEMBLY = '''
    .section .text.planted, "axR", @progbits
    .globl planted
    .type planted, @function
planted:
%s
    ret
    .section .note.GNU-stack, "", @progbits
'''


def symbols(elf):
    """{name: (address, kind)}"""
    listing = subprocess.run(['nm', elf], stdout=subprocess.PIPE, text=True, check=True).stdout
    fields = (line.split() for line in listing.splitlines())
    return {row[2]: (int(row[0], 16), row[1]) for row in fields if len(row) == 3}


def bytes_at(elf, address, count):
    """The image's content at a linked address."""
    with open(elf, 'rb') as file:
        data = file.read()
    offset, = struct.unpack_from('<Q', data, 32)
    size, number = struct.unpack_from('<HH', data, 54)
    for index in range(number):
        kind, _, start, virtual, _, in_file = struct.unpack_from('<IIQQQQ', data,
                                                                 offset + index * size)
        if kind == 1 and virtual <= address < virtual + in_file:
            return data[start + address - virtual:][:count]
    raise ValueError('0x%x is not in the image' % address)


class Image(unittest.TestCase):
    def fails(self, files, *expected, words=()):
        changed = tree.copy()
        os.remove(changed.file(tree.ELF))
        for name, text in files.items():
            changed.write(name, text)
        status, output = changed.scons(*words)
        self.assertNotEqual(status, 0, output)
        for text in expected:
            self.assertIn(text, output)
        self.assertFalse(os.path.exists(changed.file(tree.ELF)))

    def test_same_bytes_in_another_folder(self):
        first, second = tree.built(), tree.fresh(tree.built().path)
        for name in (tree.ELF, 'build/picolibc-O2/libbase.a', 'build/picolibc-O2/libtv.a',
                     'build/picolibc-O2/libpicolibc.a'):
            self.assertEqual(first.read(name), second.read(name), name)

    def assembly_fails(self, instructions, *expected):
        """proof=off, for the stack proof does not know the planted function either."""
        self.fails({'platform/x86_64/planted.S': ASSEMBLY % '\n'.join(instructions)}, *expected,
                   words=['proof=off'])

    def test_vector_instruction_is_refused(self):
        instructions = ('movaps %xmm1, %xmm0', 'vaddps %ymm1, %ymm2, %ymm3', 'fninit',
                        'movq %rax, %mm0', 'fxsave (%rdi)', 'xrstor (%rdi)', 'xsetbv')
        self.assembly_fails(instructions, *('vector or x87 code in planted: '
                                            + instruction.split()[0]
                                            for instruction in instructions))

    def test_vmx_operation_is_never_left(self):  # REQ-BOOT-7, REQ-SMP-2
        """There INIT is blocked while our code runs; outside it would stop who holds a lock."""
        listing = subprocess.run(['objdump', '-d', '--no-show-raw-insn',
                                  tree.built().file(tree.ELF)],
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertRegex(listing, r'\tvmxon ')
        self.assertNotRegex(listing, r'\tvmxoff')

    def test_red_zone_is_refused(self):  # REQ-STK-3
        self.assembly_fails(['mov %rax, -8(%rsp)'],
                            'access below the stack pointer in planted: mov %rax,-0x8(%rsp)')
        self.assembly_fails(['push %rbp', 'mov %rsp, %rbp', 'sub $16, %rsp', 'mov %rax, -16(%rbp)',
                             'movb $1, -17(%rbp)', 'leave'],
                            'access below the stack pointer in planted: movb $0x1,-0x11(%rbp)')
        compiled = tree.copy().file('planted.o')
        self.assembly_is_checked(compiled)
        source = 'int planted(int a);\nint planted(int a)\n{\n    volatile int b = a;\n' \
                 '    return b;\n}\n'
        for flags, status in ((['-mno-red-zone'], 0), ([], 1), (['-fno-omit-frame-pointer'], 1)):
            subprocess.run(['gcc', '-O1', *flags, '-c', '-x', 'c', '-', '-o', compiled], check=True,
                           input=source, text=True)
            checker = os.path.join(tree.ROOT, 'tools/build/check_code.py')
            result = subprocess.run([checker, compiled], stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(result.returncode, status, flags)

    def assembly_is_checked(self, compiled):
        """gcc -Os makes room by adding -128, which takes fewer bytes than subtracting 128."""
        for offset, status in ((-128, 0), (-136, 1)):
            source = ASSEMBLY % '\n'.join(['push %rbp', 'mov %rsp, %rbp', 'add $-128, %rsp',
                                           'mov %%rax, %d(%%rbp)' % offset, 'leave'])
            subprocess.run(['gcc', '-c', '-x', 'assembler', '-', '-o', compiled], check=True,
                           input=source, text=True)
            checker = os.path.join(tree.ROOT, 'tools/build/check_code.py')
            result = subprocess.run([checker, compiled], stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(result.returncode, status, offset)

    def test_floating_point_in_c_is_refused(self):
        self.fails({'libbase/planted.c': 'double base_planted(double a);\n'
                                         'double base_planted(double a)\n{\n    return a;\n}\n'},
                   'libbase/planted.c')

    def test_large_and_unbounded_frames_are_refused(self):  # REQ-STK-4
        self.fails({'libbase/planted.c': FRAME % '3000'}, 'stack usage')
        self.fails({'libbase/planted.c': FRAME.replace('(void)\n{', '(int n)\n{').replace(
            'base_planted(void);', 'base_planted(int n);') % 'n'}, 'variable length')

    def test_stack_traces_have_names(self):
        elf = tree.built().file(tree.ELF)
        known = symbols(elf)
        count, = struct.unpack('<I', bytes_at(elf, known['nacre_symtab_count'][0], 4))
        table = list(struct.iter_unpack('<II', bytes_at(elf, known['nacre_symtab'][0], 8 * count)))
        self.assertEqual(table, sorted(table))
        names = {}
        for offset, name in table:
            text = bytes_at(elf, known['nacre_symtab_names'][0] + name, 200)
            names[text.split(b'\0')[0].decode()] = known['image_start'][0] + offset
        for function in ('app_main', 'base_check_failed', 'log_at'):
            self.assertEqual(names.get(function), known[function][0], function)

    def test_code_that_moved_between_the_links_is_noticed(self):
        changed = tree.copy()
        first, second = (changed.file('build/picolibc-O2/link/%s.%s.elf' % (tree.APP, step))
                         for step in ('first', 'second'))
        words = [changed.file('tools/build/symtab.py'), '--same', first, second]
        self.assertEqual(subprocess.run(words, check=False).returncode, 0)
        subprocess.run(['objcopy', '--strip-symbol', 'app_main', second], check=True)
        moved = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
        self.assertNotEqual(moved.returncode, 0)
        self.assertIn('app_main', moved.stderr)
