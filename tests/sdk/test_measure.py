"""nacre-verify --measure: programs of both widths, and files that are wrong."""

import os
import struct
import subprocess
import tempfile
import unittest

import pal_program
import toolkit
from verifier import VERIFY, Case, read, run, write

SDK_PAL = r'''
#include <nacre/pal.h>
static int many[3000], factor = 3;
static int scale(int word, const char *text) { return many[0] + factor * word + text[99]; }
PAL(scale, PAL_INTEGER, PAL_IN(100));
'''
SDK_MAIN = r'''
#include <nacre/program.h>
#include <stdio.h>
int main(void)
{
    struct pal *pal;
    enum tv_error error = pal_register(&pal_description, &pal);
    for (int i = 0; error == TV_OK && i < 32; i++) {
        printf("%02x", pal_measurement(pal)[i]);
    }
    return error;
}
'''
folder, program = None, {}


def setUpModule():
    global folder
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    for width in 32, 64:
        program[width] = pal_program.make(folder.name, width)


def tearDownModule():
    os.chdir(toolkit.ROOT)
    folder.cleanup()


class Measure(Case):
    def test_both_widths(self):
        for width in 32, 64:
            status, out, err = run('--measure', program[width])
            self.assertEqual((status, err), (0, ''))
            sha256, sha1 = pal_program.measure(program[width], width)
            entry = pal_program.symbol(program[width], 'entry')
            self.assertEqual(out.splitlines(), [
                'sha256 ' + sha256, 'sha1 ' + sha1, 'name scales', 'width %d' % width,
                'flags vector', 'entry 0x%x' % entry, 'section code start=0x10000000 bytes=4096',
                'section data start=0x10010000 bytes=8192', 'section param bytes=4096',
                'section stack bytes=8192', 'parameter integer',
                'parameter pointer in-out bytes=77'])

    def changed(self, width, changes):
        """The program with numbers in it replaced: (offset, format, value)."""
        data = bytearray(read(program[width]))
        for offset, layout, value in changes:
            struct.pack_into('<' + layout, data, offset, value)
        return write('changed', data)

    def test_every_byte_counts(self):
        before = run('--measure', program[64])[1].splitlines()
        at = read(program[64]).index(pal_program.content(program[64], '.pal_code'))
        for offset in at, at + 4095:
            after = run('--measure', self.changed(64, [(offset, 'B', 0x77)]))[1].splitlines()
            self.assertEqual(after[2:], before[2:])
            self.assertNotEqual(after[0], before[0])
            self.assertNotEqual(after[1], before[1])

    def test_wrong_descriptions(self):
        layout = 'code and data of the PAL'
        pages = "pages of the PAL's code or data"
        at_hook = 'hook is not in its data'
        wrong = 'wrong parameter'
        cases = {
            (0, '8s', b'NACREPX'): 'does not begin with a description',
            (pal_program.VERSION, 'I', 2): 'version', (pal_program.FLAGS, 'I', 2): 'unknown flag',
            (pal_program.WORD_BYTES, 'I', 2): 'width',
            (pal_program.PARAMETERS, 'I', 11): 'too many parameters',
            (pal_program.PARAMETERS, 'I', 1 << 31): 'too many parameters',
            (pal_program.PARAMETER, 'I', 0): wrong, (pal_program.PARAMETER + 4, 'I', 1): wrong,
            (pal_program.PARAMETER + 8, 'Q', 1): wrong, (pal_program.PARAMETER + 20, 'I', 4): wrong,
            (pal_program.PARAMETER + 24, 'Q', 0): wrong,
            (pal_program.ENTRY, 'Q', 0x10001000): 'entry point',
            (pal_program.ENTRY, 'Q', 0): 'entry point',
            (pal_program.CODE, 'Q', 0x10000010): layout,
            (pal_program.CODE, 'Q', 0x0ffff000): pages,
            (pal_program.CODE_END, 'Q', 0x10000000): layout,
            (pal_program.CODE_END, 'Q', 0x10002000): pages,
            (pal_program.CODE_END, 'Q', 0xfffffffffffff000): 'too many pages',
            (pal_program.DATA, 'Q', 0x1000): 'too many pages',
            (pal_program.DATA_END, 'Q', 0x10000000): layout,
            (pal_program.DATA, 'Q', 0x10000000): 'overlap',
            (pal_program.DATA_END, 'Q', 0x10013000): pages,
            (pal_program.HOOK, 'Q', 0x10011fff): at_hook,
            (pal_program.HOOK, 'Q', 0x10000000): at_hook, (pal_program.HOOK, 'Q', 1 << 63): at_hook,
            (pal_program.HOOK, 'Q', 0x10010005): 'hook is not zero',
            (pal_program.PARAM_PAGES, 'I', 0): 'no pages',
            (pal_program.STACK_PAGES, 'I', 0): 'no pages',
            (pal_program.STACK_PAGES, 'I', 0xffffffff): 'too many pages',
            (pal_program.NAME, '32s', b'x' * 32): 'not printable',
            (pal_program.NAME, 'B', 10): 'not printable',
            (pal_program.NAME, 'B', ord('"')): 'not printable'}
        for width in 32, 64:
            at = read(program[width]).index(b'NACREPA\0')
            for (offset, form, value), reason in cases.items():
                path = self.changed(width, [(at + offset, form, value)])
                self.says(['--measure', path], 2, 'changed: .*' + reason)
        hook = read(program[64]).index(struct.pack('<Q', 0x1122334455667788)) - 8
        self.says(['--measure', self.changed(64, [(hook, 'B', 1)])], 2, 'hook is not zero')

    def test_wrong_elf_files(self):
        # Offsets in the headers of either width: {name: (64-bit, 32-bit)}, and their formats.
        word = {64: 'Q', 32: 'I'}
        names = {'type': (16, 16), 'machine': (18, 18), 'phoff': (32, 28), 'shoff': (40, 32),
                 'phentsize': (54, 42), 'phnum': (56, 44), 'shentsize': (58, 46),
                 'shnum': (60, 48), 'shstrndx': (62, 50)}
        for width in 32, 64:
            data = read(program[width])
            where = {name: both[width == 32] for name, both in names.items()}
            largest = (1 << width) - 1
            changes = [(0, 'B', 0), (4, 'B', 3), (4, 'B', 3 - data[4]), (5, 'B', 2), (6, 'B', 9)]
            changes += [(where[name], 'H', value) for name, value in
                        [('type', 1), ('type', 3), ('machine', 8), ('phentsize', 1), ('phnum', 0),
                         ('phnum', 0xffff), ('phnum', 0xfffe), ('shentsize', 0), ('shnum', 0),
                         ('shnum', 0xffff), ('shstrndx', 0xffff), ('shstrndx', 0)]]
            changes += [(where[name], word[width], value) for name in ('phoff', 'shoff')
                        for value in (len(data), len(data) - 1, largest, largest - 100)]
            table, = struct.unpack_from('<' + word[width], data, where['phoff'])
            segment, at = (56, (8, 16, 32, 40)) if width == 64 else (32, (4, 8, 16, 20))
            count, = struct.unpack_from('<H', data, where['phnum'])
            loaded = [index for index in range(count)
                      if struct.unpack_from('<I', data, table + index * segment)[0] == 1]
            for index in loaded:
                offset, address, in_file, in_memory = (table + index * segment + part
                                                       for part in at)
                changes += [(offset, word[width], len(data)), (offset, word[width], largest),
                            (in_file, word[width], largest), (in_file, word[width], len(data)),
                            (in_memory, word[width], 0), (in_memory, word[width], largest),
                            (address, word[width], largest)]
            for change in changes:
                self.says(['--measure', self.changed(width, [change])], 2, 'changed: ')
            for size in [*range(0, 70), *range(70, len(data), 509), len(data) - 1]:
                self.says(['--measure', write('cut', data[:size])], 2, 'cut: ')
            # A segment that would lie over the PAL's data, in a page of it.
            first = table + loaded[0] * segment
            path = self.changed(width, [(first + at[1], word[width], 0x10011ff0)])
            self.says(['--measure', path], 2, "pages of the PAL's code or data")
            # And one over its description.
            described = pal_program.symbol(program[width], 'description')
            path = self.changed(width, [(first + at[1], word[width], described + 0x200)])
            self.says(['--measure', path], 2, 'not one segment alone has it')
            # The description's own segment, of which the file has a part only.
            where_it_is = table + [index for index in loaded if described == struct.unpack_from(
                '<' + word[width], data, table + index * segment + at[1])[0]][0] * segment
            path = self.changed(width, [(where_it_is + at[2], word[width], 271)])
            self.says(['--measure', path], 2, 'too short')

    def test_names_of_sections(self):
        for width in 32, 64:
            data = read(program[width])
            form, place, size = ('Q', 40, 64) if width == 64 else ('I', 32, 40)
            table, = struct.unpack_from('<' + form, data, place)
            count, = struct.unpack_from('<H', data, 60 if width == 64 else 48)
            names = [struct.unpack_from('<I', data, table + size * i)[0] for i in range(count)]
            said = [run('--measure', self.changed(width, [(table, 'I', name)]))
                    for name in (names[0], 0xffffffff, 0x7fffffff)]
            self.assertEqual(said[0][0], 0, said[0])
            self.assertEqual(said, said[:1] * 3)
            described = [name for name in names if self.named(width, table, size, name)]
            self.assertEqual(len(described), 1)
            self.says(['--measure', self.changed(width, [(table, 'I', described[0])])], 2,
                      'not one section')

    def named(self, width, table, size, name):
        """Is this the name of the description's section?  Without it there is no PAL."""
        data = read(program[width])
        at = next(i for i in range(64)
                  if struct.unpack_from('<I', data, table + size * i)[0] == name)
        return run('--measure', self.changed(width, [(table + size * at, 'I', 0)]))[0] != 0

    def test_output_that_is_lost(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([VERIFY, '--measure', program[64]], stdout=full, text=True,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (2, 'nacre-verify: standard output cannot be written\n'))

    def test_not_a_program(self):
        self.says(['--measure', '/nowhere'], 2, '/nowhere: No such file')
        self.says(['--measure', '.'], 2, 'Is a directory')
        self.says(['--measure', write('text', b'#!/bin/sh\n')], 2, 'not an ELF file')
        self.says(['--measure', '/bin/true'], 2, 'position-independent')
        subprocess.run(['strip', '-o', 'none', '-R', '.pal_descriptor', program[64]], check=True,
                       stderr=subprocess.DEVNULL)
        self.says(['--measure', 'none'], 2, 'not one section .pal_descriptor')


class Sdk(Case):
    """A program as sdk/README.md says to make one: the identity of its file is its PAL's."""

    def test_both_widths(self):
        for name, text in ('scale.pal.c', SDK_PAL), ('main.c', SDK_MAIN):
            write(name, text.encode())
        for width in toolkit.WIDTHS:
            path = toolkit.program('.', width, 'scale.pal.c', 'main.c', name='sdk%d' % width)
            out = toolkit.must([VERIFY, '--measure', path]).splitlines()
            sha256, sha1 = (digest.hex() for digest in toolkit.measure(path))
            self.assertEqual(out[:4], ['sha256 ' + sha256, 'sha1 ' + sha1, 'name scale',
                                       'width %d' % width])
            self.assertEqual(out[-2:], ['parameter integer', 'parameter pointer in bytes=100'])
            self.assertEqual(toolkit.simulated(os.path.abspath(path)).stdout, sha256)


if __name__ == '__main__':
    unittest.main()
