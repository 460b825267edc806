"""What nacre-pal-cc refuses, each with one line; and programs that were linked wrongly."""

import os
import unittest

import toolkit as sdk

GOOD = '#include <nacre/pal.h>\nstatic int one(int i) { return i + 1; }\nPAL(one, PAL_INTEGER);\n'
MAIN = r'''
#include <nacre/program.h>
#include <stdio.h>
int main(void)
{
    struct pal *pal;
    uint64_t result = 0;
    enum tv_error error = pal_register(&pal_description, &pal);
    if (error == TV_OK) {
        error = PAL_CALL(pal, &result, 41);
    }
    printf("%d %d\n", error, (int)result);
    return 0;
}
'''


class PalCompiler(sdk.FolderCase):
    def refuses(self, text, what, *options):
        source = self.write('bad.pal.c', text)
        for width in sdk.WIDTHS:
            done, target = sdk.compile_pal(self.folder, source, width, *options)
            self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
            self.assertRegex(done.stderr, r'\Anacre-pal-cc: .*%s.*\n\Z' % what)
            self.assertFalse(os.path.exists(target))

    def test_what_a_pal_cannot_have(self):
        self.refuses(GOOD + 'int printf(const char *, ...);\n'
                     'int two(void) { return printf("x"); }\n',
                     r'bad\.pal\.c uses printf, which is not in the PAL')
        self.refuses(GOOD + '__thread int mine = 3;\nint two(void) { return mine++; }\n',
                     'thread-local variables')
        self.refuses(GOOD + 'int x;\n__attribute__((constructor)) void early(void) { x = 1; }\n',
                     'constructors')
        self.refuses('int x;\n', r'no PAL\(\) in')
        self.refuses('#define PAL_PARAM_PAGES 1\n' + GOOD.replace('PAL_INTEGER', 'PAL_IN(5000)'),
                     'PAL_PARAM_PAGES 2')
        self.refuses('#define PAL_FLAGS TV_PAL_VECTOR\n' + GOOD, '--vector')
        self.refuses(GOOD, '--vector', '--vector')

    def test_what_would_lie_outside_the_pal(self):
        self.refuses(GOOD + 'extern int other(void) __attribute__((weak));\n'
                     'int two(void) { return other ? other() : 0; }\n',
                     r'bad\.pal\.c uses other, which is not in the PAL')
        self.refuses(GOOD + 'extern int other __attribute__((weak));\n'
                     'int *two(void) { return &other; }\n',
                     r'bad\.pal\.c uses other, which is not in the PAL')
        for what in ('int mine', 'const int mine'):
            self.refuses(GOOD + what + ' __attribute__((section("own"))) = 4;\n',
                         r'bad\.pal\.c has section own, which is not in the PAL')
        self.refuses(GOOD + '__attribute__((section("own"))) int two(void) { return 2; }\n',
                     r'bad\.pal\.c has section own, which is not in the PAL')
        self.refuses(GOOD + 'static int a(void) { return 1; }\n'
                     'static void *choose(void) { return a; }\n'
                     'int two(void) __attribute__((ifunc("choose")));\n',
                     r'bad\.pal\.c has two, chosen at the start of a program')
        self.refuses(GOOD + 'extern int other;\nint other = 3;\n'
                     'int two(void) { return other; }\n',
                     r'bad\.pal\.c is position-independent code', '-fPIC')

    def test_two_pals(self):
        first, second = self.write('a.pal.c', GOOD), self.write('b.pal.c', GOOD)
        done = sdk.run([os.path.join(sdk.SDK, 'bin/nacre-pal-cc'), '-o',
                        os.path.join(self.folder, 'x.o'), first, second])
        self.assertRegex(done.stderr, r'\Anacre-pal-cc: PAL\(\) in both .*a\.pal\.c and .*\n\Z')

    def test_compiler_errors_are_the_compilers(self):
        done, _ = sdk.compile_pal(self.folder, self.write('bad.pal.c', 'int x = ;\n'), 64)
        self.assertEqual(done.returncode, 1)
        self.assertIn('error: expected expression', done.stderr)
        done, _ = sdk.compile_pal(self.folder, self.write('float.pal.c', GOOD.replace(
            'return i + 1', 'volatile float f = i; return (int)(f * 2)')), 64)
        self.assertEqual(done.returncode, 1)

    def test_usage(self):
        tool = os.path.join(sdk.SDK, 'bin/nacre-pal-cc')
        for words in ([], ['-o'], ['missing.c'], ['/etc/passwd'], ['-m64']):
            done = sdk.run([tool, *words])
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r'\Anacre-pal-cc: .*\n\Z')
        nowhere = os.path.join(self.folder, 'no/such.o')
        done = sdk.run([tool, '-o', nowhere, self.write('good.pal.c', GOOD)])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'\Anacre-pal-cc: .*no/such\.o: No such file.*\n\Z')
        self.assertIn('FILE.pal.c', sdk.must([tool, '--help']))

    def test_division_of_64_bits(self):
        """What the compiler calls in libgcc is part of the PAL."""
        pal = self.write('wide.pal.c', '#include <nacre/pal.h>\n'
                         'static uint32_t wide(uint32_t i)\n'
                         '{ volatile uint64_t a = 84ULL << 40, b = 2ULL << 40; (void)i;\n'
                         '  return (uint32_t)(a / b); }\nPAL(wide, PAL_INTEGER);\n')
        main = self.write('main.c', MAIN)
        for width in sdk.WIDTHS:
            path = sdk.program(self.folder, width, pal, main)
            self.assertEqual(sdk.simulated(path).stdout, '0 42\n')

    def test_wrong_links(self):
        main, pal = self.write('main.c', MAIN), self.write('good.pal.c', GOOD)
        for width in sdk.WIDTHS:
            path = sdk.program(self.folder, width, pal, main)
            self.assertEqual(sdk.simulated(path).stdout, '0 42\n')
            common = ['gcc', '-m%d' % width, '-I' + os.path.join(sdk.SDK, 'include'), main,
                      path + '.pal.o', os.path.join(sdk.SDK, 'lib%d/libnacre.a' % width),
                      '-o', path]
            script = '-Wl,-T,' + os.path.join(sdk.SDK, 'pal.lds')
            self.assertIn('pal_code_start', sdk.run([*common, '-no-pie']).stderr)
            movable = sdk.run([*common, '-pie', script])
            if movable.returncode == 0:
                self.assertEqual(sdk.simulated(path).stdout, '50 0\n')
            elsewhere = self.write('moved.lds', sdk.must(['cat', script[7:]]).replace(
                '0x10000000', '0x12000000'))
            sdk.must([*common, '-no-pie', '-Wl,-T,' + elsewhere])
            self.assertEqual(sdk.simulated(path).stdout, '50 0\n')

    def test_description_that_is_wrong(self):
        """Each field of the description, spoiled in the program file."""
        main, pal = self.write('main.c', MAIN), self.write('good.pal.c', GOOD)
        path = sdk.program(self.folder, 64, pal, main)
        with open(path, 'rb') as file:
            whole = file.read()
        at = whole.index(b'NACREPA\0\1\0\0\0')
        for offset, value in [(0, b'M'), (8, b'\2'), (16, b'\4'), (20, b'\x0b'), (24, bytes(8)),
                              (32, b'\1'), (40, b'\1'), (40, bytes(8)), (48, b'\1'),
                              (56, bytes(8)), (64, bytes(8)), (72, bytes(4)), (76, bytes(4)),
                              (72, b'\xff' * 4), (76, b'\xff' * 4), (63, b'\xff')]:
            spoiled = whole[:at + offset] + value + whole[at + offset + len(value):]
            with open(path + '.spoiled', 'wb') as file:
                file.write(spoiled)
            os.chmod(path + '.spoiled', 0o755)
            done = sdk.simulated(path + '.spoiled')
            self.assertEqual(done.stdout, '50 0\n', 'offset %d' % offset)


if __name__ == '__main__':
    unittest.main()
