"""nacre-verify: quotes of all interfaces that libtv made here, all of which openssl must take or
refuse as well."""

import glob
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import pal_program
from pal_program import ROOT
from verifier import Case, read, run, write

sys.path.insert(0, os.path.join(ROOT, 'tools'))

import sdk_verify  # noqa: E402

MAKER = ['tests/sdk/make_quotes.c', 'sdk/verify/options.c',
         *('libtv/%s.c' % name for name in ('evidence', 'measure', 'pcr', 'random', 'root', 'rsa'))]
KINDS = 'module', 'tpm', 'random', 'simulated', 'module-debug', 'random-debug'
NONCE, OLD_NONCE = '5a' * 32, 'c3' * 20
DATA = b'd' * 64
folder, program, identity, old_identity, maker, changer = None, {}, None, None, None, None


def setUpModule():
    global folder, identity, old_identity, maker, changer
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    checks = [os.path.join(ROOT, path) for path in glob.glob(ROOT + '/sdk/verify/*.c')
              if not path.endswith('main.c')]
    maker = sdk_verify.build(folder.name, 'make_quotes', MAKER, ['libtv/api', 'sdk/verify'])
    changer = sdk_verify.build(folder.name, 'change_quotes',
                               ['tests/sdk/change_quotes.c', 'libtv/measure.c', *checks],
                               ['sdk/verify'])
    for width in 32, 64:
        program[width] = pal_program.make(folder.name, width)
    identity, old_identity = pal_program.measure(program[64], 64)
    subprocess.run([maker, '.', identity, old_identity, NONCE, OLD_NONCE], check=True)


def tearDownModule():
    os.chdir(ROOT)
    folder.cleanup()


def openssl(*words):
    return subprocess.run(['openssl', *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)


class Evidence(Case):
    def command(self, kind='module', **options):
        given = {'pal': program[64], 'nonce': NONCE, 'key': 'key.der', **options}
        words = [word for name, value in given.items() if value is not None
                 for word in ('--' + name, value)]
        return words + ['evidence-' + kind]

    def test_verified(self):
        for kind in 'module', 'tpm':
            self.says(self.command(kind), 0, 'pal=%s name="scales" build=release root=%s nacre=0.1 '
                      'data=%s pcr0=%s pcr1=' % (identity, kind, DATA.hex(), identity))
        self.says(self.command(pal=None, identity=identity.upper()), 0, 'pal=' + identity)

    def test_openssl_agrees(self):
        openssl('pkey', '-pubin', '-inform', 'DER', '-in', 'key.der', '-out', 'key.pem')
        self.says(self.command(key='key.pem'), 0, 'root=module')
        evidence = read('evidence-module')
        signed, = struct.unpack_from('<I', evidence, 12)
        write('signature', evidence[signed:])
        for data, verdict in (evidence[:signed], 'Verified OK'), (evidence[:-1], 'failure'):
            write('signed', data)
            said = openssl('dgst', '-sha256', '-verify', 'key.pem', '-signature', 'signature',
                           'signed')
            self.assertIn(verdict, said.stdout)

    def test_everybodys_key(self):
        """Who simulates can sign anything with that key, and say that it is real."""
        self.says(self.command('forged', key='simulation.der'), 1, 'which everybody has')

    def test_refused(self):
        other = ('1' if identity[0] == '0' else '0') + identity[1:]
        self.says(self.command(nonce='5b' + NONCE[2:]), 1, 'nonce is another one')
        self.says(self.command(pal=program[32]), 1, 'another PAL')
        self.says(self.command(pal=None, identity=other), 1, 'another PAL')
        self.says(self.command(key='other.der'), 1, 'made with another key')
        self.says(self.command(data='00'), 1, 'data are other ones')
        self.says(self.command(pcr='2=' + '00' * 32), 1, 'not in the quote')
        register = hashlib.sha256(bytes(32) + DATA[:32]).digest()
        self.says(self.command(pcr='1=' + register.hex()), 0, 'root=module')
        for at in 0, 31:
            changed = register[:at] + bytes([register[at] ^ 1]) + register[at + 1:]
            self.says(self.command(pcr='1=' + changed.hex()), 1, 'another value')

    def test_kinds(self):
        for kind, allow, reason in [('random', 'random', 'for one boot'),
                                    ('simulated', 'simulated', 'simulated: everybody'),
                                    ('module-debug', 'debug', 'debug build')]:
            self.says(self.command(kind), 1, reason)
            others = {'random', 'simulated', 'debug'} - {allow}
            self.says(['--allow-' + other for other in others] + self.command(kind), 1, reason)
            self.says(['--allow-' + allow] + self.command(kind), 0,
                      'root=' + kind.split('-')[0])

    def test_data_and_registers(self):
        self.says(self.command(data=DATA.hex(), pcr='0=' + identity), 0, 'root=module')
        self.says(self.command(data=write('data', DATA)), 0, 'root=module')
        self.says(self.command(data=write('data', DATA[:63])), 1, 'data are other ones')
        self.says(self.command(data=write('data', DATA + b'd')), 2, 'data: file is too large')
        self.says(self.command(data='nothing-there'), 2, 'nothing-there: No such file')

    def test_format(self):
        """Another version and the like are refused before any signature is looked at."""
        evidence = read('evidence-module')
        for offset, value, reason in [(0, b'n', 'not evidence'), (8, b'\2', 'version'),
                                      (12, b'\0', 'length'), (16, b'\3', 'unknown flag'),
                                      (20, b'\0', 'source'), (20, b'\5', 'source'),
                                      (28, b'\0', 'length'), (29, b'\1', 'register that')]:
            write('evidence-changed',
                  evidence[:offset] + value + evidence[offset + 1:])
            self.says(self.command('changed'), 1, reason)
        for data, reason in [(b'', 'cut short'), (evidence[:191], 'cut short'),
                             (evidence[:288], 'length'), (evidence[:-1], 'signature is wrong'),
                             (evidence + b'\0', 'signature is'),
                             (evidence + bytes(100), 'signature is too long'),
                             (evidence + bytes(100000), 'signature is too long')]:
            write('evidence-changed', data)
            self.says(self.command('changed'), 1, reason)

    @staticmethod
    def parts(evidence):
        """What is signed, and the signature, whose length is another one for each PAL."""
        signed, = struct.unpack_from('<I', evidence, 12)
        return evidence[:signed], evidence[signed:]

    def test_signature_is_der(self):
        """One evidence has one signature: other encodings of the same numbers are refused."""
        kinds = (read('evidence-' + kind) for kind in KINDS)
        body, signature = next(both for both in map(self.parts, kinds) if len(both[1]) < 72)
        first = signature[4:4 + signature[3]]
        second = signature[6 + len(first):]
        longer = b'\2%c\0%s\2%c%s' % (len(first) + 1, first, len(second), second)
        for changed in (b'\x30\x81' + signature[1:], b'\x30%c' % len(longer) + longer):
            write('evidence-changed', body + changed)
            self.says(self.command('changed'), 1, 'signature is wrong')

    def test_every_changed_bit(self):
        """Of evidence, both parts of an old quote, and a first one; any other length, too."""
        files = 'evidence-module', 'composite', 'signature-module', 'first-module'
        done = subprocess.run([changer, identity, old_identity, NONCE, OLD_NONCE, 'key.der',
                               'rsa.der', *files],
                              stdout=subprocess.PIPE, text=True, check=True)
        bits = sum(8 * os.path.getsize(path) for path in files)
        self.assertEqual(int(done.stdout), bits + len(files) * 1024)

    def test_wrong_keys(self):
        good = read('key.der')
        for data in (b'', b'0', good[:-1], good + b'0', b'\x30\x58' + good[2:], read('rsa.der'),
                     b'-----BEGIN PUBLIC KEY-----\nMFk\n', b'-----BEGIN PUBLIC KEY-----\n' * 50):
            self.says(self.command(key=write('wrong', data)), 2, 'wrong: not a public key on P-256')


def make_rsa_pem():
    openssl('rsa', '-RSAPublicKey_in', '-inform', 'DER', '-in', 'rsa.der', '-pubout',
            '-out', 'rsa.pem')


class OldKinds:
    """What the tests of both old quotes share; each has its command()."""

    def test_kinds(self):
        for kind, allow, reason in [('random', ['random'], 'for one boot'),
                                    ('simulated', ['simulated'], 'simulated: everybody'),
                                    ('module-debug', ['debug'], 'debug build'),
                                    ('random-debug', ['debug', 'random'], 'debug build')]:
            self.says(self.command(kind), 1, reason)
            self.says(['--allow-' + word for word in allow] + self.command(kind), 0,
                      'root=' + kind.split('-')[0].replace('module', 'lasting'))
        self.says(['--allow-debug'] + self.command('random-debug'), 1, 'for one boot')


class OldQuote(OldKinds, Case):
    def command(self, kind='module', composite='composite', **options):
        given = {'pal': program[64], 'nonce': OLD_NONCE, 'key': 'rsa.der', 'composite': composite,
                 **options}
        words = [word for name, value in given.items() if value is not None
                 for word in ('--' + name, value)]
        return ['--old', *words, 'signature-' + kind]

    def test_verified(self):
        self.says(self.command(), 0, 'pal=%s name="scales" build=release root=lasting pcr0=%s pcr1='
                  % (old_identity, old_identity))
        self.says(self.command(pal=None, identity=old_identity, pcr='0=' + old_identity), 0,
                  'root=lasting')

    def test_openssl_agrees(self):
        make_rsa_pem()
        openssl('rsa', '-pubin', '-in', 'rsa.pem', '-RSAPublicKey_out', '-out', 'rsa1.pem')
        openssl('rsa', '-pubin', '-in', 'rsa.pem', '-outform', 'DER', '-out', 'rsa1.der')
        for key in 'rsa.pem', 'rsa1.pem', 'rsa1.der':
            self.says(self.command(key=key), 0, 'root=lasting')
        digest = openssl('dgst', '-sha1', '-binary', '-out', 'digest', 'composite')
        self.assertEqual(digest.returncode, 0)
        for version, verdict in (b'\1\1\0\0', 'Verified OK'), (b'\1\1\0\1', 'failure'):
            write('info', version + b'QUOT' + read('digest') + bytes.fromhex(OLD_NONCE))
            said = openssl('dgst', '-sha1', '-verify', 'rsa.pem', '-signature', 'signature-module',
                           'info')
            self.assertIn(verdict, said.stdout)

    def test_refused(self):
        self.says(self.command(nonce='00' * 20), 1, 'another nonce or composite')
        self.says(self.command(pal=program[32]), 1, 'another PAL')
        self.says(self.command(key='other-rsa.der'), 1, 'signature is wrong')
        self.says(self.command('marks0', 'composite-2'), 1, 'register 0 is not')
        for marks in 6, 8, 255:
            self.says(['--allow-debug', '--allow-random', '--allow-simulated']
                      + self.command('marks%d' % marks), 1, 'unknown marks')
        self.says(self.command(pcr='2=' + '00' * 20), 1, 'not in the quote')
        register = hashlib.sha1(bytes(20) + DATA[:20]).digest()
        self.says(self.command(pcr='7=' + register.hex()), 0, 'root=lasting')
        for at in 0, 19:
            changed = register[:at] + bytes([register[at] ^ 1]) + register[at + 1:]
            self.says(self.command(pcr='7=' + changed.hex()), 1, 'another value')
        composite, signature = read('composite'), read('signature-module')
        for data in b'', composite[:-1], composite + b'\0', b'\2' + composite[1:]:
            self.says(self.command(composite=write('changed', data)), 1, 'not a|length of')
        for data in b'', signature[:-1], signature + b'\0':
            write('signature-changed', data)
            self.says(self.command('changed'), 1, '256 bytes')

    def test_everybodys_key(self):
        self.says(self.command('forged', key='simulation-rsa.der'), 1, 'which everybody has')

    def test_wrong_keys(self):
        for path in 'key.der', write('wrong', read('rsa.der')[:-1] + b'\3'):
            self.says(self.command(key=path), 2, path + ': not a public RSA key')


class FirstQuote(OldKinds, Case):
    def command(self, kind='module', **options):
        given = {'pal': program[64], 'nonce': OLD_NONCE, 'key': 'rsa.der', **options}
        words = [word for name, value in given.items() for word in ('--' + name, value)]
        return ['--first', *words, 'first-' + kind]

    def test_verified(self):
        register = hashlib.sha1(bytes(20) + DATA[:20]).hexdigest()
        for options in {}, {'pcr': '7=' + register}:
            self.says(self.command(**options), 0, 'pal=%s name="scales" build=release root=lasting '
                      'pcr0=%s pcr7=%s$' % (old_identity, old_identity, register))

    def test_openssl_agrees(self):
        make_rsa_pem()
        quote = read('first-module')
        write('signature', quote[-512:-256])
        for data, verdict in (quote[:-512], 'Verified OK'), (quote[1:-512], 'failure'):
            write('signed', data)
            said = openssl('dgst', '-sha1', '-verify', 'rsa.pem', '-signature', 'signature',
                           'signed')
            self.assertIn(verdict, said.stdout)

    def test_refused(self):
        self.says(self.command(nonce='00' * 20), 1, 'nonce is another one')
        self.says(self.command(pal=program[32]), 1, 'another PAL')
        self.says(self.command(key='other-rsa.der'), 1, 'made with another key')
        self.says(self.command('of-1'), 1, 'register 0 is not')
        self.says(self.command('of-8'), 1, 'does not exist')
        self.says(self.command(pcr='1=' + '00' * 20), 1, 'not in the quote')
        self.says(self.command(pcr='7=' + '00' * 20), 1, 'another value')
        self.says(self.command('forged', key='simulation-rsa.der'), 1, 'which everybody has')
        quote = read('first-module')
        count = struct.pack('<I', 9)
        for data, reason in [(b'', 'not a quote'), (quote[:11], 'not a quote'),
                             (b'\2' + quote[1:], 'not a quote'), (quote[:-1], 'length of'),
                             (quote + b'\0', 'length of'),
                             (quote[:8] + count + quote[12:], 'length of'),
                             (read('signature-module'), 'not a quote')]:
            write('first-changed', data)
            self.says(self.command('changed'), 1, reason)


class Usage(Case):
    def test_wrong(self):
        pal, nonce, key = ['--identity', identity], ['--nonce', NONCE], ['--key', 'key.der']
        rest = ['evidence-module']
        for words, reason in [([], '--pal or --identity'), (pal + key + rest, '--nonce is missing'),
                              (pal + nonce + rest, '--key is missing'),
                              (nonce + key + rest, '--pal or --identity'),
                              (pal + ['--pal', 'x'] + nonce + key + rest, '--pal or --identity'),
                              (pal + nonce + key, 'file to check is missing'),
                              (pal + nonce + key + rest * 2, 'one file too many'),
                              (pal + nonce * 2 + key + rest, 'twice'),
                              (pal + ['--nonce', NONCE[2:]] + key + rest, '64 hex'),
                              (pal + ['--nonce', 'g' + NONCE[1:]] + key + rest, '64 hex'),
                              (pal + nonce + key + ['--pcr', '8=00'] + rest, 'not a register'),
                              (pal + nonce + key + ['--pcr', '1=00'] + rest, '64 hex'),
                              (pal + nonce + key + ['--pcr', '1', '--pcr', '1'] + rest,
                               'not a register'),
                              (pal + nonce + key + ['--composite', 'x'] + rest, 'go together'),
                              (pal + nonce + key + ['--old'] + rest, 'go together'),
                              (pal + nonce + key + ['--old', '--composite', 'x', '--data', '00']
                               + rest, 'old quotes have no --data'),
                              (pal + nonce + key + ['--first', '--data', '00'] + rest,
                               'old quotes have no --data'),
                              (pal + nonce + key + ['--first', '--old', '--composite', 'x'] + rest,
                               'either --old or --first'),
                              (pal + nonce + key + ['--first'] + rest, '40 hex'),
                              (['--what'], 'unknown option --what'), (['--key'], 'needs a value'),
                              (['--measure', 'x', 'y'], 'no other option'),
                              (['--measure', 'x', '--old'], 'no other option'),
                              (['--measure=x', 'y'], 'no other option'),
                              (['--measure=x', '--old'], 'no other option'),
                              (['-xy'], 'unknown option -x '), (['--old=1'], 'option --old=1 ')]:
            self.says(words, 2, reason)

    def test_files_that_cannot_be_read(self):
        self.says(['--identity', identity, '--nonce', NONCE, '--key', 'key.der', '/nowhere'], 2,
                  '/nowhere: No such file')
        self.says(['--identity', identity, '--nonce', NONCE, '--key', '/nowhere', 'x'], 2,
                  '/nowhere: No such file')

    def test_help(self):
        status, out, err = run('--help')
        self.assertEqual((status, err), (0, ''))
        for word in 'measure pal identity nonce key old composite first data pcr'.split():
            self.assertRegex(out, r'\n  --%s\b' % word)


if __name__ == '__main__':
    unittest.main()
