"""The examples of the SDK, simulated, in both widths."""

import hashlib
import os
import subprocess
import tempfile
import unittest

import toolkit as sdk

NONCE = bytes(range(32))
BUILD = os.path.join(sdk.ROOT, 'sdk/examples/build.sh')


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for width in sdk.WIDTHS:
            sdk.must([BUILD, str(width)])

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def example(self, width, name, *words, text=None, full=False):
        words = [os.path.join(sdk.SDK, 'examples/%d' % width, name), *words]
        if full:                        # the answer cannot be printed
            words = ['sh', '-c', '"$@" >/dev/full', 'sh', *words]
        return sdk.run(words, input=text, cwd=self.folder,
                       env=dict(os.environ, PAL_SIMULATION='1'))

    def says(self, done, text):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, text, ''))

    def refuses(self, done, what, status=1):
        self.assertEqual((done.returncode, done.stdout), (status, ''), done.stderr)
        self.assertRegex(done.stderr, r'\A[^\n]*%s[^\n]*\n\Z' % what)

    def no_room(self, done):
        self.refuses(done, 'standard output: No space left')

    def read(self, name):
        with open(self.path(name), 'rb') as file:
            return file.read()

    def write(self, name, data):
        with open(self.path(name), 'wb') as file:
            file.write(data)

    def change(self, name, at):
        with open(self.path(name), 'r+b') as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))

    def test_counter(self):
        for width in sdk.WIDTHS:
            name = 'count%d' % width
            for count in (1, 2, 3):
                self.says(self.example(width, 'counter', name), '%d\n' % count)
            self.change(name, 178)
            self.refuses(self.example(width, 'counter', name), 'sealed blob was changed')
            with open(self.path(name), 'r+b') as file:
                file.truncate(100)
            self.refuses(self.example(width, 'counter', name), 'not a file of 200 bytes')
            # NV memory of the simulation ends with the process: the file is newer than it.
            self.says(self.example(width, 'counter', '--nv', 'with-nv%d' % width), '1\n')
            self.refuses(self.example(width, 'counter', '--nv', 'with-nv%d' % width), 'newer than')
            self.no_room(self.example(width, 'counter', 'full%d' % width, full=True))
            self.refuses(self.example(width, 'counter', 'x' * 4096), 'File name too long')
            os.mkdir(self.path('folder%d' % width))
            self.refuses(self.example(width, 'counter', 'folder%d' % width), 'not a file of')
            self.refuses(self.example(width, 'counter', '/nowhere/x'), 'No such file')
            self.refuses(self.example(width, 'counter'), 'usage', 2)
            self.refuses(self.example(width, 'counter', '--frob'), 'usage', 2)

    def test_counter_of_another_width(self):
        self.says(self.example(64, 'counter', 'count'), '1\n')
        self.refuses(self.example(32, 'counter', 'count'), 'sealed to another PAL')

    def test_signing_key(self):
        self.write('file', os.urandom(10000))
        self.write('empty', b'')
        for width in sdk.WIDTHS:
            self.says(self.example(width, 'signing-key', 'new', 'key'), '')
            for name in ('file', 'empty'):
                self.says(self.example(width, 'signing-key', 'sign', 'key', name), '')
                verify = ['openssl', 'dgst', '-sha256', '-verify', self.path('key.pub'),
                          '-signature', self.path(name + '.sig'), self.path(name)]
                self.assertEqual(sdk.must(verify), 'Verified OK\n')
            self.change('file', 9999)
            verify[-2:] = [self.path('file.sig'), self.path('file')]
            self.assertNotEqual(sdk.run(verify).returncode, 0)
            self.attest(width)
            self.change('key', 60)
            self.refuses(self.example(width, 'signing-key', 'sign', 'key', 'file'), 'changed')
            self.refuses(self.example(width, 'signing-key', 'sign', 'file', 'file'), 'not a file')
            self.refuses(self.example(width, 'signing-key', 'sign', 'none', 'file'), 'No such file')
            for nonce in ('', 'zz', '00' * 31, '00' * 33, '-1' * 32, ' 1' * 32, '0x' + '00' * 31):
                self.refuses(self.example(width, 'signing-key', 'attest', 'key', nonce, 'x'),
                             'digits', 2)
            self.assertFalse(os.path.exists(self.path('x')))
            self.refuses(self.example(width, 'signing-key', 'sign'), 'usage', 2)

    def attest(self, width):
        """The evidence of the key's PAL says the hash of the key; nacre-verify believes it."""
        self.says(self.example(width, 'signing-key', 'attest', 'key', NONCE.hex(), 'evidence'), '')
        der = sdk.must(['openssl', 'pkey', '-pubin', '-in', self.path('key.pub'), '-outform', 'DER',
                        '-out', self.path('der')])
        with open(self.path('der'), 'rb') as file:
            der = file.read()
        words = [os.path.join(sdk.SDK, 'bin/nacre-verify'), '--pal',
                 os.path.join(sdk.SDK, 'examples/%d/signing-key' % width), '--nonce', NONCE.hex(),
                 '--key', self.simulated_key(width), '--data', hashlib.sha256(der).hexdigest(),
                 self.path('evidence')]
        self.assertIn('simulated', sdk.run(words).stderr)
        self.assertIn('verified: ', sdk.must([*words, '--allow-simulated']))

    def simulated_key(self, width):
        self.says(self.example(width, 'signing-key', 'quote-key', 'simulated.der'), '')
        return self.path('simulated.der')

    def test_password(self):
        for width in sdk.WIDTHS:
            def password(*words, text='secret\n', width=width):
                return self.example(width, 'password', *words, text=text)
            self.says(password('set', 'file'), 'set\n')
            self.says(password('check', 'file'), 'right\n')
            self.refuses(password('check', 'file', text='Secret\n'), 'wrong; tries left: 4')
            self.says(password('check', 'file'), 'right\n')
            for left in (4, 3, 2, 1, 0):
                self.refuses(password('check', 'file', text='x\n'), 'tries left: %d' % left)
            self.refuses(password('check', 'file'), 'locked')
            self.says(password('set', 'file', text=''.ljust(64, 'x')), 'set\n')
            self.says(password('check', 'file', text=''.ljust(64, 'x')), 'right\n')
            self.refuses(password('set', 'file', text=''.ljust(65, 'x')), 'more than 64 bytes')
            self.refuses(password('check', 'file', text=''), 'no password')
            self.refuses(password('check', 'none'), 'No such file')
            self.refuses(password('frob', 'file'), 'usage', 2)
            self.no_room(self.example(width, 'password', 'set', 'file', text='y', full=True))

    def test_password_file(self):
        """A changed file is refused; an older one gives its tries back, as the README says."""
        for width in sdk.WIDTHS:
            def password(*words, text='secret', width=width):
                return self.example(width, 'password', *words, text=text)
            self.says(password('set', 'file'), 'set\n')
            fresh = self.read('file')
            for left in (4, 3):
                self.refuses(password('check', 'file', text='x'), 'tries left: %d' % left)
            used = self.read('file')
            self.write('file', fresh)
            self.refuses(password('check', 'file', text='x'), 'tries left: 4')
            for at in (0, 20, 180, len(used) - 1):
                self.write('file', used)
                self.change('file', at)
                self.refuses(password('check', 'file'), 'sealed blob')
            self.write('file', used[:-1])
            self.refuses(password('check', 'file'), 'not a file of %d bytes' % len(used))
            self.write('file', used + b'x')
            self.refuses(password('check', 'file'), 'not a file of %d bytes' % len(used))

    def test_builds_side_by_side(self):
        """A program is there as a whole at any time, whoever builds the examples again."""
        builds = [subprocess.Popen([BUILD, '64']) for _ in range(3)]
        while any(build.poll() is None for build in builds):
            self.example(64, 'counter', 'busy').check_returncode()
        self.assertEqual([build.returncode for build in builds], [0, 0, 0])
        folder = os.path.join(sdk.SDK, 'examples/64')
        self.assertEqual([name for name in os.listdir(folder) if name.startswith('made.')], [])

    def test_without_trustvisor(self):
        done = sdk.run([os.path.join(sdk.SDK, 'examples/64/counter'), self.path('x')])
        self.refuses(done, 'the PAL: no TrustVisor here')
        self.assertFalse(os.path.exists(self.path('x')))

    def test_width_of_the_build(self):
        done = sdk.run([BUILD, '16'])
        self.refuses(done, 'width is 32 or 64', 2)


if __name__ == '__main__':
    unittest.main()
