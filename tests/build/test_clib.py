"""Both C libraries, compiled with the image's flags, behave as the image needs: clib.c runs
here, as a program without anything of this machine's own C library."""

import json
import os
import shlex
import subprocess
import unittest

import tree


class CLibrary(unittest.TestCase):
    def behaves(self, libc):
        built = tree.copy()
        status, output = built.scons('libc=' + libc)
        self.assertEqual(status, 0, output)
        command = next(entry['command']
                       for entry in json.loads(built.read('build/compile_commands.json'))
                       if entry['output'] == 'build/%s-O2/libbase/log.o' % libc)
        words = shlex.split(command)
        words[words.index('-o') + 1] = 'clib.o'
        words[words.index('libbase/log.c')] = os.path.join(tree.ROOT, 'tests/build/clib.c')
        subprocess.run(words, cwd=built.path, check=True)
        subprocess.run(['gcc', '-nostdlib', '-static', '-no-pie', '-o', 'clib', 'clib.o',
                        'build/%s-O2/lib%s.a' % (libc, libc)], cwd=built.path, check=True)
        result = subprocess.run([built.file('clib')], stdout=subprocess.PIPE, text=True,
                                check=False)
        self.assertEqual((result.returncode, result.stdout), (0, 'ok\n'))

    def test_picolibc(self):
        self.behaves('picolibc')

    def test_newlib(self):
        self.behaves('newlib')
