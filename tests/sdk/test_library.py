"""What build/sdk/ has for programs of both widths."""

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SDK = os.path.join(ROOT, 'build/sdk')
PROGRAM = r'''
#include <nacre/nacre.h>
#include <nacre/pal_file.h>
#include <stdio.h>

int main(void)
{
    printf("%zu %s\n", sizeof(struct pal_description), tv_error_text(TV_ERROR_ABSENT));
    return nacre_detect(NULL) ? 1 : 0;
}
'''


class Library(unittest.TestCase):
    def runs(self, width):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, 'program')
            subprocess.run(['gcc', '-m%d' % width, '-Wall', '-Wextra', '-Werror', '-x', 'c', '-',
                            '-x', 'none', '-I' + os.path.join(SDK, 'include'),
                            os.path.join(SDK, 'lib%d/libnacre.a' % width), '-o', program],
                           input=PROGRAM, text=True, check=True)
            output = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertRegex(output, '^272 .*TrustVisor')

    def test_amd64(self):
        self.runs(64)

    def test_i386(self):
        self.runs(32)
