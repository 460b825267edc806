"""Options: wrong ones are refused with one line, right ones do what they say."""

import os
import shutil
import subprocess
import tempfile
import unittest

import tree


def scons(*words):
    return subprocess.run(['scons', '-Q', '-C', tree.ROOT, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


class Options(unittest.TestCase):
    def refused(self, words, *expected):
        result = scons(*words)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(result.stdout.count('\n'), 1, result.stdout)
        for text in expected:
            self.assertIn(text, result.stdout)

    def test_wrong_values_are_refused_with_one_line(self):
        self.refused(['libc=musl'], 'libc=musl', 'picolibc', 'newlib')
        self.refused(['opt=O9'], 'opt=O9', 'O2')
        self.refused(['V=yes'], 'V=yes')
        self.refused(['app=nosuch'], 'app=nosuch', 'hello')
        self.refused(['app=/nosuch/folder'], '/nosuch/folder')

    def test_unknown_options_are_refused_with_one_line(self):
        self.refused(['lib=newlib'], 'lib=')

    def test_help_names_every_option_and_target(self):
        result = scons('--help')
        self.assertEqual(result.returncode, 0)
        for word in ('libc:', 'app:', 'opt:', 'proof:', 'V:', 'tests:', 'image ', 'iso ', 'unit ',
                     'coverage '):
            self.assertIn(word, result.stdout)

    def test_nacre_refuses_what_it_does_not_know(self):
        for words in (['frobnicate'], ['test', 'frobnicate'], ['lint', '--frobnicate']):
            result = subprocess.run([os.path.join(tree.ROOT, 'nacre'), *words],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    check=False)
            self.assertEqual(result.returncode, 2, result.stdout)
            self.assertEqual(result.stdout.count('\n'), 1, result.stdout)

    def test_app_outside_the_tree(self):
        changed = tree.copy()
        with tempfile.TemporaryDirectory() as outside:
            app = os.path.join(outside, 'mine')
            shutil.copytree(changed.file('apps/' + tree.APP), app)
            status, output = changed.scons('app=' + app)
            self.assertEqual(status, 0, output)
            self.assertNotIn(outside.encode(), changed.read('build/picolibc-O2/nacre-mine.elf'))
        compiled = [line for line in output.splitlines() if line.startswith('  CC ')]
        self.assertTrue(compiled)
        for line in compiled:
            self.assertIn(app, line)  # what the images share is compiled once
