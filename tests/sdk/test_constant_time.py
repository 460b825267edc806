"""Neither a branch nor an address depends on a secret (tests/sdk/constant_time.c, under valgrind).

libtv's and BearSSL's files are compiled as for the image: another compiler's choices may differ.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, 'tools'), os.path.join(ROOT, 'site_scons')]

import flags  # noqa: E402
import sdk  # noqa: E402
import thirdparty  # noqa: E402

SOURCES = ['libtv/%s.c' % name
           for name in ('entropy', 'evidence', 'pcr', 'random', 'root', 'rsa', 'seal')]
INCLUDE = ['-I' + path for path in ('libtv/include', 'libtv/api', 'libbase/include',
                                    'platform/include', 'build/include')]
# The image's address is not for a program of this machine.
MACHINE = [word for word in flags.MACHINE if word != '-mcmodel=kernel'] + ['-O2']
WRAPPED = ('br_gcm_check_tag', 'br_ecdsa_raw_to_asn1')

# What may depend on something secret: innermost functions, what the line says, and why.
ALLOWED = [
    # A number that is drawn again tells nothing of the one that is kept; one in 2^32 is.
    (['br_ec_keygen'], r'^if \(cc != 0 && zz != 0\)'),
    (['br_ecdsa_i31_sign_raw'], r'^if \(br_i31_(iszero\(k\)|sub\(k, n, 0\))\)'),
    # Is the key valid? It always is.
    (['br_ecdsa_i31_sign_raw'], r'^if \(!?br_i31_(decode_mod\(x, sk->x, .*|iszero\(x\))\)'),
    # Entropy that fails its tests is not used: the verdict is the answer of the service.
    (['tv_entropy'], r'\bgood\b'),
    # BearSSL's own, and not harmless in theory: a nonce with eight leading zeros, one in 256, takes
    # one round of this loop less, of the 5 million instructions of a signature.
    (['br_i31_rshift', 'br_ecdsa_i31_bits2int', 'br_ecdsa_i31_sign_raw'],
     r'^(if \(len == 0\)|for \(u = 2; u <= len; u \+\+\)|x\[len\] = r;)'),
]


def build(folder):
    """The program's path."""
    os.chdir(ROOT)
    bearssl = thirdparty.prepare('bearssl', 'third_party/bearssl', 'build')
    system = [word for path in bearssl.include for word in ('-isystem', path)]
    builder = sdk.Builder()
    jobs = builder.objects(SOURCES, [*flags.WARNINGS, *MACHINE, *INCLUDE, *system])
    jobs += builder.objects(bearssl.sources,
                            [*MACHINE, *('-D' + word for word in bearssl.defines), *bearssl.flags])
    program = os.path.join(folder, 'constant_time')
    subprocess.run(['gcc', *flags.WARNINGS, '-g', '-O1', '-no-pie', *INCLUDE, *system,
                    os.path.join(HERE, 'constant_time.c'), *sdk.results(jobs), '-o', program,
                    *('-Wl,--wrap=' + name for name in WRAPPED)], check=True)
    return program


class Complaint:
    """One error of memcheck's: the stack from the innermost function on."""

    def __init__(self, error):
        self.kind = error.findtext('kind')
        self.frames = [(frame.findtext('fn') or '?', self.source(frame), frame.findtext('line'))
                       for frame in error.find('stack')]

    @staticmethod
    def source(frame):
        name = frame.findtext('file')
        return name and os.path.join(frame.findtext('dir') or '', name)

    def statement(self):
        """The line of the source that it is about."""
        _, path, line = self.frames[0]
        if path is None or not os.path.exists(os.path.join(ROOT, path)):
            return ''
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            return file.read().splitlines()[int(line) - 1].strip()

    def is_by(self, functions, pattern):
        return functions == [name for name, _, _ in self.frames[:len(functions)]] and \
            re.search(pattern, self.statement()) is not None

    def __str__(self):
        stack = ['    %s (%s:%s)' % frame for frame in self.frames]
        return '\n'.join(['%s: %s' % (self.kind, self.statement()), *stack])


class ConstantTime(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = build(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def complaints(self, *arguments):
        report = os.path.join(self.folder.name, 'report')
        run = subprocess.run(['valgrind', '-q', '--error-limit=no', '--num-callers=12',
                              '--xml=yes', '--xml-file=' + report, self.program, *arguments],
                             stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [Complaint(error) for error in xml.parse(report).getroot().iter('error')]

    def test_no_secret_decides(self):
        found = self.complaints()
        leaks = [str(complaint) for complaint in found
                 if not any(complaint.is_by(*allowed) for allowed in ALLOWED)]
        if leaks:
            self.fail('\n' + '\n'.join(leaks))
        for allowed in ALLOWED:     # one that does not happen is to be taken out of the list
            self.assertTrue(any(complaint.is_by(*allowed) for complaint in found), allowed)

    def test_leaks_are_seen(self):
        found = {complaint.frames[0][0]: complaint.kind for complaint in self.complaints('leak')}
        self.assertEqual(found, {'leaking_compare': 'UninitCondition',
                                 'leaking_table': 'UninitValue'})

    def test_needs_valgrind(self):
        run = subprocess.run([self.program], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((run.returncode, run.stderr),
                         (2, 'constant_time: not running under valgrind: '
                             'there is nothing to see\n'))


if __name__ == '__main__':
    unittest.main()
