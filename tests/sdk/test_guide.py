"""docs/pal.md, as a reader types it: each block of files and commands."""

import os
import re
import unittest

import toolkit as sdk

GUIDE = os.path.join(sdk.ROOT, 'docs/pal.md')


class Guide(sdk.FolderCase):
    @classmethod
    def setUpClass(cls):
        with open(GUIDE, encoding='ascii') as file:
            text = file.read()
        cls.sections = dict(re.findall(r'^## (\w+)\n(.*?)(?=^## |\Z)', text,
                                       re.DOTALL | re.MULTILINE))

    def blocks(self, section, language=''):
        """The fenced blocks of one language."""
        found = re.findall(r'^```(\w*)\n(.*?)^```$', self.sections[section],
                           re.DOTALL | re.MULTILINE)
        return [text for name, text in found if name == language]

    def shell(self, commands, **environment):
        done = sdk.run(['sh', '-e', '-c', commands], cwd=self.folder,
                       env=dict(os.environ, sdk=sdk.SDK, **environment))
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        return done.stdout

    def commands(self):
        """How it is built and run, and what that prints."""
        commands = next(block for block in self.blocks('Write') if 'nacre-pal-cc' in block)
        expected, = re.findall(r'# (success: .*)', commands)
        return commands, expected

    def write_files(self):
        pal, main = self.blocks('Write', 'c')
        self.assertRegex(self.sections['Write'], r'(?s)`vote\.pal\.c`.*`main\.c`')
        self.write('vote.pal.c', pal)
        self.write('main.c', main)

    def test_write(self):
        self.write_files()
        commands, expected = self.commands()
        self.assertEqual(self.shell(commands), expected + '\n')
        self.assertEqual(self.shell(commands.replace('pal-cc', 'pal-cc -m32').replace(
            'gcc', 'gcc -m32').replace('lib64', 'lib32')), expected + '\n')

    def test_measure(self):
        self.write_files()
        self.shell(self.commands()[0])
        said = self.shell(self.blocks('Measure')[0])
        self.assertIn(sdk.measure(os.path.join(self.folder, 'vote'))[0].hex(), said)
        self.assertIn('vote', said)

    def test_seal(self):
        """The second form of the PAL; a program that keeps the blob for it."""
        function, = self.blocks('Seal', 'c')
        pal, main = self.blocks('Write', 'c')
        self.write('vote.pal.c', pal.splitlines()[0] + '\n' + function)
        self.write('main.c', main.replace('uint32_t votes', 'uint8_t blob[8 + TV_SEALED_OVERHEAD]; '
                                          'uint32_t votes').replace('i != 1, votes',
                                                                    'i != 1, i == 0, blob, votes'))
        commands, expected = self.commands()
        self.assertEqual(self.shell(commands), expected + '\n')

    def test_attest(self):
        commands = self.blocks('Attest')[0]
        said = self.shell(commands)
        self.assertRegex(said, r'(?m)\Averified: ')
        done = sdk.run(['sh', '-c', commands.replace(' --allow-simulated', '')], cwd=self.folder,
                       env=dict(os.environ, sdk=sdk.SDK))
        self.assertIn('refused', done.stderr)


if __name__ == '__main__':
    unittest.main()
