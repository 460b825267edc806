"""The stack proof of whole images (REQ-STK-2, REQ-STK-4): hypapps of others that are too deep, the
stack size that this project's ancestor had, and what the image knows of the result."""

import json
import os
import re
import tempfile
import unittest

import tree

DEEP = '''
#define CALLED __attribute__((noinline, noclone, noipa))
void deep_inner(volatile char *);
void deep_outer(void);
CALLED void deep_inner(volatile char *told) {
    volatile char room[1800]; room[(int)told[0]] = 1; told[1] = room[3]; }
CALLED void deep_outer(void) {
    volatile char room[1800]; room[5] = 1; deep_inner(room); room[6] = 1; }
'''
RECURSIVE = '''
#define CALLED __attribute__((noinline, noclone, noipa))
int again(int);
void deep_outer(void);
int volatile turns;
CALLED int again(int n) {
    volatile char room[64]; room[n & 7] = 1; return n ? again(n - 1) + room[1] : 0; }
void deep_outer(void) { turns = again(turns); }
'''
VLA = '''
void deep_outer(void);
int volatile length;
void deep_outer(void) { volatile char room[length]; room[0] = 1; }
'''


class Hypapps(unittest.TestCase):
    """The proof names the functions of somebody else's hypapp (REQ-STK-2, REQ-STK-4)."""

    def refused(self, text, *expected):
        changed = tree.copy()
        with tempfile.TemporaryDirectory() as outside:
            app = os.path.join(outside, 'mine')
            os.mkdir(app)
            with open(os.path.join(changed.file('apps/' + tree.APP), 'main.c'),
                      encoding='utf-8') as file:
                main = file.read()
            with open(os.path.join(app, 'main.c'), 'w', encoding='utf-8') as file:
                main = main.replace('log_info("hello', 'deep_outer();\n    log_info("hello')
                file.write(main.replace('static uint64_t',
                                        'void deep_outer(void);\nstatic uint64_t', 1))
            with open(os.path.join(app, 'deep.c'), 'w', encoding='utf-8') as file:
                file.write(text)
            status, output = changed.scons('app=' + app)
        self.assertNotEqual(status, 0, output)
        for words in expected:
            self.assertRegex(output, words)
        self.assertFalse(os.path.exists(changed.file('build/picolibc-O2/nacre-mine.elf')))

    def test_too_deep(self):
        self.refused(DEEP, r'app needs \d+ bytes, its budget is \d+',
                     r'(?s)deep_outer \(app\).*deep_inner \(app\)')

    def test_recursion(self):
        self.refused(RECURSIVE, 'recursion without a declared bound: again -> again',
                     'app_main -> deep_outer -> again')

    def test_variable_length_array(self):
        self.refused(VLA, r'deep\.c', 'deep_outer', 'variable length array|VLA')


class Images(unittest.TestCase):
    def test_stack_of_the_32_bit_size(self):  # REQ-STK-2: the bug that this project began with
        changed = tree.copy()
        text = changed.read('config/stack.h').decode()
        changed.write('config/stack.h', re.sub(r'(define STACK_MAIN_BYTES) \d+', r'\1 4096', text))
        status, output = changed.scons()
        self.assertNotEqual(status, 0, output)
        self.assertRegex(output, r'the main stack has 4096 bytes \(STACK_MAIN_BYTES\)')
        self.assertRegex(output, r'(?s)depth  function.*app_\w*main \(app\).*nacre_run')
        self.assertIn('the longest path and two nested exceptions do not fit', output)
        status, output = changed.scons('proof=off')
        self.assertEqual(status, 0, output)
        self.assertIn('NOT PROVEN', output)
        status, output = changed.scons()
        self.assertNotEqual(status, 0, output)  # what was built unproven does not count

    def test_every_stack_is_computed_and_embedded(self):
        built = tree.built()
        result = json.loads(built.read('build/picolibc-O2/stack-%s.json' % tree.APP))
        self.assertEqual([row['stack'] for row in result['stack_lines']],
                         ['main', 'NMI', '#DF', '#MC', 'boot'])
        for row in result['stack_lines']:
            self.assertGreater(row['computed_bytes'], 500)
            self.assertLessEqual(row['computed_bytes'], row['size_bytes'])
            self.assertEqual(sum(step[1] for step in row['chain']), row['computed_bytes'])
        listing = built.read('build/picolibc-O2/link/%s.with-symtab.S' % tree.APP).decode()
        numbers = re.search(r'nacre_stack_computed:\n((?:    \.long \d+\n)+)', listing).group(1)
        self.assertEqual([int(word) for word in re.findall(r'\d+', numbers)], result['stacks'])


if __name__ == '__main__':
    unittest.main()
