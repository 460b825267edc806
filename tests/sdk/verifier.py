"""What the tests of nacre-verify share."""

import os
import subprocess
import unittest

import toolkit

VERIFY = os.path.join(toolkit.SDK, 'bin/nacre-verify')


def run(*words):
    """Status, standard output and standard error."""
    done = subprocess.run([VERIFY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=20)
    return done.returncode, done.stdout, done.stderr


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)
    return path


class Case(unittest.TestCase):
    def says(self, words, status, pattern):
        """One line on the right channel, nothing on the other."""
        code, out, err = run(*words)
        self.assertEqual(code, status, (words, out, err))
        said, silent = (out, err) if status == 0 else (err, out)
        self.assertEqual(silent, '', words)
        line = r'\A(nacre-verify: |verified: )[^\n]*(%s)[^\n]*\n\Z' % pattern
        self.assertRegex(said, line, words)
        self.assertEqual(status == 1, said.startswith('nacre-verify: refused: '), said)
