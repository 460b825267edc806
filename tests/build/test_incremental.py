"""A changed file rebuilds what depends on it, and nothing else."""

import json
import shlex
import subprocess
import unittest

import tree

VARIANT = 'build/picolibc-O2/'


def dependents(changed, header):
    """Sources of the image that the compiler itself says include the header."""
    found = set()
    for entry in json.loads(changed.read('build/compile_commands.json')):
        if not entry['output'].startswith(VARIANT) or entry['file'].startswith('build/'):
            continue
        words = shlex.split(entry['command'])
        del words[words.index('-o'):words.index('-o') + 2]
        words = [word for word in words if not word.startswith(('-fcallgraph', '-fstack-usage'))]
        listing = subprocess.run([*words, '-M'], cwd=changed.path, stdout=subprocess.PIPE,
                                 text=True, check=True).stdout
        if header in listing.replace('\\\n', ' ').replace('build/include/config/',
                                                         'config/').split():
            found.add(entry['file'])
    return found


def compiled(output):
    return {line.split()[1] for line in output.splitlines()
            if line.startswith(('  CC ', '  AS ')) and not line.split()[1].startswith('build/')}


class Incremental(unittest.TestCase):
    def rebuilds_dependents(self, header):
        changed = tree.copy()
        expected = dependents(changed, header)
        self.assertTrue(expected, header)
        changed.write(header, '\n/* changed */\n', 'a')
        status, output = changed.scons()
        self.assertEqual(status, 0, output)
        self.assertEqual(compiled(output), expected)
        return expected

    def test_nothing_changed(self):
        status, output = tree.copy().scons()
        self.assertEqual(status, 0, output)
        self.assertIn('is up to date', output)
        self.assertEqual(compiled(output), set())

    def test_header_of_a_library(self):
        self.rebuilds_dependents('libept/include/ept/ept.h')

    def test_configuration(self):
        self.rebuilds_dependents('config/stack.h')

    def test_header_that_assembly_includes(self):
        expected = self.rebuilds_dependents('platform/x86_64/percpu.h')
        self.assertTrue([name for name in expected if name.endswith('.S')])

    def test_source_and_linker_script(self):
        changed = tree.copy()
        changed.write('libbase/log.c', '\nint base_planted(void);\nint base_planted(void)\n'
                                       '{\n    return 1;\n}\n', 'a')
        status, output = changed.scons()
        self.assertEqual((status, compiled(output)), (0, {'libbase/log.c'}), output)
        self.assertIn('IMAGE', output)
        changed.write('platform/x86_64/nacre.lds', '\n/* changed */\n', 'a')
        status, output = changed.scons()
        self.assertEqual((status, compiled(output)), (0, set()), output)
        self.assertIn('LINK', output)
