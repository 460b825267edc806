"""nacre-verify, against quotes of both interfaces and against program files that are wrong."""

import hashlib
import os
import shutil
import struct
import sys
import tempfile
import unittest

import toolkit as sdk

sys.path.append(os.path.join(sdk.ROOT, 'site_scons'))
import thirdparty  # noqa: E402

VERIFY = os.path.join(sdk.SDK, 'bin/nacre-verify')
NONCE, DATA = b'N' * 32, b'said by the PAL'.ljust(64, b'\0')
TPM, MODULE, RANDOM, SIMULATED = 1, 2, 3, 4
SOURCES = ['tests/sdk/quotes.c', 'sdk/verify/quote.c', 'sdk/verify/key.c',
           *('libtv/%s.c' % name for name in ('evidence', 'measure', 'pcr', 'random', 'root', 'rsa',
                                              'abi'))]
INCLUDE = ['sdk/include', 'libtv/include', 'libtv/api', 'libvmx/api', 'libbase/include',
           'build/include']
PAL = r'''
#include <nacre/pal.h>
static int add(int a, const char *text) { return a + text[0]; }
PAL(add, PAL_INTEGER, PAL_IN(100));
'''
MAIN = r'''
#include <nacre/program.h>
int main(void) { struct pal *pal; return pal_register(&pal_description, &pal); }
'''


def verify(*words):
    return sdk.run([VERIFY, *words])


class Quotes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = cls.temporary.name
        cls.programs = {}
        for name, text in (('add.pal.c', PAL), ('other.pal.c', PAL.replace('a +', 'a -')),
                           ('main.c', MAIN)):
            with open(os.path.join(cls.folder, name), 'w', encoding='ascii') as file:
                file.write(text)
        for width in sdk.WIDTHS:
            for name in ('add', 'other'):
                cls.programs[name, width] = sdk.program(
                    cls.folder, width, cls.path(name + '.pal.c'), cls.path('main.c'),
                    name='%s%d' % (name, width))
        os.chdir(sdk.ROOT)
        bearssl = thirdparty.prepare('bearssl', 'third_party/bearssl', 'build')
        crypto = [path for path in bearssl.sources] + \
            [path for path in bearssl.test_sources if 'ecdsa' in path]
        sdk.must(['gcc', '-O1', '-w', *('-D' + word for word in bearssl.defines), *bearssl.flags,
                  *('-I' + path for path in INCLUDE), *SOURCES, *crypto, '-o',
                  cls.path('quotes')])
        cls.identity = sdk.measure(cls.programs['add', 64])
        for name, root, debug in (('module', MODULE, 0), ('tpm', TPM, 0), ('random', RANDOM, 0),
                                  ('simulated', SIMULATED, 0), ('debug', MODULE, 1),
                                  ('none', 9, 0)):
            os.mkdir(cls.path(name))
            sdk.must([cls.path('quotes'), cls.path(name), str(root), str(debug),
                      cls.identity[0].hex(), cls.identity[1].hex()])

    @classmethod
    def path(cls, *parts):
        return os.path.join(cls.folder, *parts)

    def new(self, kind='module', *words, pal=None, nonce=NONCE, key='key', evidence='evidence'):
        return verify('--pal', pal or self.programs['add', 64], '--nonce', nonce.hex(), '--key',
                      self.path(kind, key), *words, self.path(kind, evidence))

    def old(self, kind='module', *words, pal=None, nonce=NONCE[:20], key='rsa',
            composite='composite', signature='signature'):
        return verify('--old', '--pal', pal or self.programs['add', 64], '--nonce', nonce.hex(),
                      '--key', self.path(kind, key), '--composite', self.path(kind, composite),
                      *words, self.path(kind, signature))

    def accepted(self, done, *words):
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        self.assertRegex(done.stdout, r'\Averified: .*\n\Z')
        for word in words:
            self.assertIn(word, done.stdout)

    def refused(self, done, what, status=1):
        start = 'nacre-verify: ' + ('refused: ' if status == 1 else '')
        self.assertEqual((done.returncode, done.stdout), (status, ''), done.stderr)
        self.assertRegex(done.stderr, r'\A%s.*%s.*\n\Z' % (start, what))

    def read(self, *parts):
        with open(self.path(*parts), 'rb') as file:
            return file.read()

    def write(self, data, *parts):
        with open(self.path(*parts), 'wb') as file:
            file.write(data)
        return parts[-1]

    def test_measurements(self):
        for (name, width), path in self.programs.items():
            sha256, sha1 = sdk.measure(path)
            said = sdk.must([VERIFY, '--measure', path])
            self.assertIn('sha256=%s\nsha1=%s\nname=add\nwidth=%d\n'
                          % (sha256.hex(), sha1.hex(), width), said)
            self.assertIn('parameter 1=in, 100 bytes\n', said, name)

    def test_good_quotes(self):
        self.accepted(self.new(), 'root="a boot module"', 'data=' + DATA.hex(), 'debug=0',
                      'registers=0x83')
        self.accepted(self.new('tpm'), 'root="the machine\'s TPM"')
        self.accepted(self.old(), 'marks=0', 'pcr0=' + self.identity[1].hex())
        self.accepted(verify('--identity', self.identity[0].hex().upper(), '--nonce', NONCE.hex(),
                             '--key', self.path('module/key'), self.path('module/evidence')))

    def test_openssl_alone(self):
        """What README and docs/evidence.md say of openssl."""
        evidence = self.read('module/evidence')
        bytes_signed, = struct.unpack_from('<I', evidence, 12)
        self.write(evidence[:bytes_signed], 'body')
        self.write(evidence[bytes_signed:], 'sig')
        sdk.must(['openssl', 'pkey', '-pubin', '-inform', 'DER', '-in', self.path('module/key'),
                  '-out', self.path('key.pem')])
        self.assertEqual(sdk.must(['openssl', 'dgst', '-sha256', '-verify', self.path('key.pem'),
                                   '-signature', self.path('sig'), self.path('body')]),
                         'Verified OK\n')
        self.write(bytes([1, 1, 0, 0]) + b'QUOT' +
                   hashlib.sha1(self.read('module/composite')).digest() + NONCE[:20], 'info')
        sdk.must(['openssl', 'rsa', '-RSAPublicKey_in', '-inform', 'DER', '-in',
                  self.path('module/rsa'), '-pubout', '-out', self.path('rsa.pem')])
        self.assertEqual(sdk.must(['openssl', 'dgst', '-sha1', '-verify', self.path('rsa.pem'),
                                   '-signature', self.path('module/signature'),
                                   self.path('info')]), 'Verified OK\n')
        shutil.copy(self.path('key.pem'), self.path('module/key.pem'))
        shutil.copy(self.path('rsa.pem'), self.path('module/rsa.pem'))
        self.accepted(self.new(key='key.pem'))
        self.accepted(self.old(key='rsa.pem'))

    def test_refusals(self):
        for check in (self.new, self.old):
            self.refused(check(pal=self.programs['other', 64]), 'of another PAL')
            self.refused(check(pal=self.programs['add', 32]), 'of another PAL')
            self.refused(check('debug'), 'debug build')
            self.refused(check('random'), 'random: its key is that of one boot')
            self.refused(check('simulated'), 'simulated: nothing protected')
            self.accepted(check('debug', '--allow-debug'))
            self.accepted(check('random', '--allow-random'))
            self.accepted(check('simulated', '--allow-simulated'))
            self.refused(check('simulated', '--allow-random', '--allow-debug'), 'simulated')
        self.refused(self.new(nonce=NONCE[:-1] + b'M'), 'another nonce')
        self.refused(self.old(nonce=NONCE[:19] + b'M'), 'another nonce')
        self.refused(self.new('none', '--allow-random', '--allow-simulated', '--allow-debug'),
                     'from nowhere')

    def test_keys(self):
        sdk.must(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out',
                  self.path('module/private')])
        sdk.must(['openssl', 'ec', '-in', self.path('module/private'), '-pubout', '-out',
                  self.path('module/other')])
        sdk.must(['openssl', 'genrsa', '-out', self.path('module/private'), '2048'])
        sdk.must(['openssl', 'rsa', '-in', self.path('module/private'), '-pubout', '-out',
                  self.path('module/other-rsa')])
        self.refused(self.new(key='other'), 'another key')
        self.refused(self.old(key='other-rsa'), 'the signature is wrong')
        self.refused(self.new(key='other-rsa'), 'not a public key on P-256', 2)
        self.refused(self.old(key='other'), 'not a public RSA key', 2)
        for key in (b'', b'x', self.read('module/key')[:-1], self.read('module/key') + b'x',
                    b'-----BEGIN PUBLIC KEY-----', b'A' * 5000):
            self.refused(self.new(key=self.write(key, 'module', 'bad')), 'not a public key', 2)
            self.refused(self.old(key=self.write(key, 'module', 'bad')), 'not a public RSA', 2)
        rsa = self.read('module/rsa')
        for cut in range(0, len(rsa), 5):
            self.refused(self.old(key=self.write(rsa[:cut], 'module', 'bad')), 'not a public', 2)

    def test_data_and_registers(self):
        one = hashlib.sha256(bytes(32) + b'\5' + bytes(31)).hexdigest()
        old_one = hashlib.sha1(bytes(20) + b'\5' + bytes(19)).hexdigest()
        self.accepted(self.new('module', '--data', DATA.rstrip(b'\0').hex(), '--pcr', '1=' + one,
                               '--pcr', '7=' + '00' * 32))
        self.accepted(self.old('module', '--pcr', '1=' + old_one, '--pcr', '7=' + '00' * 20))
        self.refused(self.new('module', '--data', '00'), 'says other data')
        self.refused(self.new('module', '--pcr', '7=' + one), 'another value')
        self.refused(self.new('module', '--pcr', '2=' + '00' * 32), 'not in the quote')
        self.refused(self.old('module', '--pcr', '7=' + old_one), 'another value')
        for word in ('8=' + one, '1', '1=' + one[2:], '1=' + one + '00', 'x=' + one,
                     '1=' + 'g' * 64):
            self.refused(self.new('module', '--pcr', word), '--pcr', 2)

    def test_every_bit(self):
        self.assertEqual(sdk.must([self.path('quotes'), 'flip', self.path('module')]),
                         'evidence accepted=1\nold accepted=1\n')

    def test_other_files(self):
        evidence = self.read('module/evidence')
        for data, what in ((b'', 'not evidence'), (b'x' * 400, 'not evidence'),
                           (evidence[:100], 'truncated'), (evidence + b'x' * 9, 'truncated'),
                           (evidence[:8] + b'\2' + evidence[9:], 'version')):
            self.refused(self.new(evidence=self.write(data, 'module', 'bad')), what)
        for data in (b'', self.read('module/composite')[:-1], b'\1\0\0' + bytes(4)):
            self.refused(self.old(composite=self.write(data, 'module', 'bad')), 'composite|regis')
        self.refused(self.old(signature=self.write(bytes(255), 'module', 'bad')), 'signature')

    def test_usage(self):
        good = ['--pal', self.programs['add', 64], '--nonce', NONCE.hex(), '--key',
                self.path('module/key'), self.path('module/evidence')]
        for words, what in (([], 'missing'), (good[2:], '--pal or --identity'), (good[:-1], 'file'),
                            (good + ['x'], 'one file'), (good[:2] + good[4:], '--nonce is missing'),
                            (good[:4] + good[6:], '--key is missing'), (['--nonce'], 'no value'),
                            (['--frob'], 'unknown option'), (['--measure'], 'missing'),
                            (good + ['--identity', '00' * 32], 'either'),
                            (good + ['--composite', 'x'], 'go together'),
                            (['--old', *good], 'go together'),
                            (['--nonce', '00', *good[:2], *good[4:]], 'must have 32 bytes'),
                            (['--nonce', 'zz' * 32, *good[:2], *good[4:]], 'hexadecimal'),
                            (['--measure', '/nowhere'], 'No such file'),
                            (['--measure', '/'], 'directory'),
                            ([*good[:-1], '/nowhere'], 'No such file')):
            self.refused(verify(*words), what, 2)
        self.assertIn('--allow-simulated', sdk.must([VERIFY, '--help']))

    def test_program_files_that_are_wrong(self):
        for width in sdk.WIDTHS:
            whole = self.read('add%d' % width)
            address, _ = sdk.section(self.programs['add', width], '.pal_data')
            at = whole.index(b'NACREPA\0\1\0\0\0')
            hook, = struct.unpack_from('<Q', whole, at + 64)
            spoiled = {'': whole[:0], 'short': whole[:40], 'header': whole[:63],
                       'half': whole[:len(whole) // 2], 'no sections': self.patched(whole, width,
                                                                                   'sections', 1),
                       'far sections': self.patched(whole, width, 'sections', 1 << 30),
                       'far segments': self.patched(whole, width, 'segments', 1 << 30),
                       'entry': whole[:at + 24] + b'\xff' * 8 + whole[at + 32:],
                       'huge code': whole[:at + 47] + b'\x7f' + whole[at + 48:],
                       'huge stack': whole[:at + 76] + b'\xff' * 4 + whole[at + 80:]}
            data_at = self.offset_of(width, address)
            place = data_at + hook - address
            spoiled['hook'] = whole[:place] + b'\1' + whole[place + 1:]
            for name, content in spoiled.items():
                self.write(content, 'bad')
                self.refused(verify('--measure', self.path('bad')), '', 2)
            self.refused(verify('--measure', self.path('bad')), 'hook', 2)
        self.refused(verify('--measure', '/bin/true'), 'no PAL in it', 2)

    def offset_of(self, width, address):
        for line in sdk.must(['readelf', '-SW', self.programs['add', width]]).splitlines():
            words = line.replace('[ ', '[').split()
            if len(words) > 5 and words[1] == '.pal_data':
                return int(words[4], 16)
        raise AssertionError('no .pal_data at 0x%x' % address)

    @staticmethod
    def patched(whole, width, what, value):
        """With another file offset of the section or program headers."""
        form, places = ('<Q', {'segments': 32, 'sections': 40}) if width == 64 else \
            ('<I', {'segments': 28, 'sections': 32})
        place = places[what]
        return whole[:place] + struct.pack(form, value) + whole[place + struct.calcsize(form):]


if __name__ == '__main__':
    unittest.main()
