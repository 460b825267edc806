"""No jump and no address of libtv's cryptography depends on a secret: constant_time.c, run by
valgrind, with libtv's files and BearSSL compiled as for the image as far as a process can have it.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, 'tools'), os.path.join(ROOT, 'site_scons')]

import directives  # noqa: E402
import flags  # noqa: E402

OUT = os.path.join(ROOT, 'build', 'constant-time')
SUPPRESSIONS = 'tests/sdk/constant_time.supp'
OWN = ['libtv/%s.c' % name for name in ('root', 'rsa', 'evidence', 'seal', 'pcr', 'random')]
INCLUDE = ['-I' + folder for folder in ('.', 'libtv/include', 'libtv/api', 'libbase/include')]
# The image's code, but for what only a kernel may have.
KERNEL_ONLY = ('-mcmodel=kernel', '-mno-red-zone', '-fno-asynchronous-unwind-tables')
MACHINE = ['-O2', *(flag for flag in flags.MACHINE if flag not in KERNEL_ONLY)]
WRAPPED = ('br_gcm_check_tag', 'br_ecdsa_raw_to_asn1')
NEEDED_ONLY_HERE = ['ecdsa_atr', 'ecdsa_i31_vrfy_asn1']     # to see that signatures are right


def compile_one(source, words):
    made = os.path.join(OUT, os.path.basename(source)[:-2] + '.o')
    subprocess.run(['gcc', *words, '-c', source, '-o', made], cwd=ROOT, check=True)
    return made


def build():
    """The program."""
    os.makedirs(OUT, exist_ok=True)
    crypto = directives.crypto()
    third_party = [*flags.THIRD_PARTY, *('-D' + word for word in crypto.defines),
                   *('-I' + folder for folder in [*crypto.include, *crypto.private_include])]
    own = [*flags.WARNINGS, *INCLUDE, *('-isystem' + folder for folder in crypto.include)]
    tests = [path for path in crypto.test_sources
             if os.path.basename(path)[:-2] in NEEDED_ONLY_HERE]
    jobs = [(path, [*MACHINE, *third_party]) for path in [*crypto.sources, *tests]]
    jobs += [(path, [*MACHINE, *own]) for path in OWN]
    jobs.append(('tests/sdk/constant_time.c', ['-O2', '-g', *own]))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda job: compile_one(*job), jobs))
    program = os.path.join(OUT, 'constant_time')
    subprocess.run(['gcc', '-no-pie', *objects, *('-Wl,--wrap=' + name for name in WRAPPED),
                    '-o', program], check=True)
    return program


def run(program, *arguments):
    return subprocess.run(['valgrind', '-v', '--error-limit=no', '--num-callers=20',
                           '--suppressions=' + SUPPRESSIONS, program, *arguments], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)


def errors(said):
    """What memcheck reports, each with its stack."""
    return [block.strip() for block in re.split(r'(?m)^(?:==\d+== *|--.*)\n',
                                                said.split('ERROR SUMMARY')[0])
            if 'uninitialised' in block]


class ConstantTime(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = build()

    def test_no_leak(self):
        """Nothing is reported, and each exception is one that is needed."""
        done = run(self.program)
        found = errors(done.stderr)
        if done.returncode or found:
            self.fail('\n'.join([done.stdout, *found]))
        self.assertIn('ok RSA-2048 signature', done.stdout.splitlines()[-1])
        with open(os.path.join(ROOT, SUPPRESSIONS), encoding='utf-8') as file:
            known = set(re.findall(r'(?m)^\{\n +(.+)$', file.read()))
        used = set(re.findall(r'used_suppression: +\d+ (.+?) ' + re.escape(SUPPRESSIONS),
                              done.stderr))
        self.assertEqual(used, known)

    def test_planted_leaks_are_found(self):
        """A comparison that stops early, and a look-up at a secret's place."""
        done = run(self.program, 'planted')
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout.splitlines(),
                         ['leak planted comparison', 'leak planted lookup'])
        found = errors(done.stderr)
        for kind, function in (('Conditional jump', 'careless_equal'),
                               ('Use of uninitialised value', 'careless_lookup')):
            self.assertTrue([block for block in found if kind in block and function in block],
                            done.stderr)


if __name__ == '__main__':
    unittest.main()
