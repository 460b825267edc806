"""The root secret in a TPM 2.0 (libtpm/include/tpm/root.h), against swtpm, with tpm2-tools as the
guest's administrator. Each process of swtpm is one reset of the TPM."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = ['tests/sdk/tpm_root.c', 'libtpm/root.c', 'libtpm/make.c', 'libtpm/parse.c',
           'libbase/log.c', 'libbase/status.c']
INCLUDE = ['libtpm/include', 'libtpm', 'libbase/include', 'platform/include', '.']
INDEX = '0x01804e43'
OURS = 'authwrite|writeall|writedefine|authread|no_da|read_stclear'
NOTHING = '00' * 32


def free_ports():
    """A port whose successor is free, too: tpm2-tools want swtpm's control port there."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(('127.0.0.1', 0))
            port = first.getsockname()[1]
            try:
                second.bind(('127.0.0.1', port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise AssertionError('no two free ports in a row')


class Tpm:
    """A TPM with its memory, and the machine around it."""

    def __init__(self, folder, program):
        self.folder, self.program, self.process, self.port = folder, program, None, None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def reset(self):
        self.stop()
        self.port = free_ports()
        self.process = subprocess.Popen(
            ['swtpm', 'socket', '--tpm2', '--tpmstate', 'dir=' + self.folder, '--flags',
             'not-need-init', '--server', 'type=tcp,port=%d' % self.port, '--ctrl',
             'type=tcp,port=%d' % (self.port + 1)])
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port + 1), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise AssertionError('swtpm does not start') from None
                time.sleep(0.05)

    def boot(self, *words):
        """(outcome, secret, log line) of Nacre's part of a boot."""
        done = subprocess.run([self.program, str(self.port), *words], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=60)
        line, last = done.stdout.splitlines()
        outcome, secret = last.rsplit(' ', 1)
        return outcome, secret, line

    def tool(self, name, *words, data=None):
        """(success, output) of a program of tpm2-tools."""
        done = subprocess.run(['tpm2_' + name, '-T', 'swtpm:host=127.0.0.1,port=%d' % self.port,
                               *words], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, check=False)
        return done.returncode == 0, done.stdout.decode('latin-1')

    def must(self, name, *words, data=None):
        ok, output = self.tool(name, *words, data=data)
        if not ok:
            raise AssertionError('tpm2_%s %s: %s' % (name, ' '.join(words), output))
        return output

    def firmware(self):
        """What most firmware does before it boots something."""
        self.must('startup', '-c')
        self.must('hierarchycontrol', '-C', 'p', 'phEnable', 'clear')

    def plant(self, attributes, size=32, write=True, owner='o'):
        """An index of somebody else's."""
        self.must('nvdefine', INDEX, '-C', owner, '-s', str(size), '-a', attributes)
        if write:
            self.must('nvwrite', INDEX, '-C', INDEX, '-i', '-', data=b'k' * size)


class Root(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.built = tempfile.mkdtemp(prefix='nacre-tpm-')
        cls.addClassCleanup(shutil.rmtree, cls.built)
        cls.program = os.path.join(cls.built, 'tpm_root')
        subprocess.run(['gcc', '-O1', '-g', '-Wall', '-Wextra', '-Werror',
                        '-fsanitize=address,undefined', *('-I' + path for path in INCLUDE),
                        *SOURCES, '-o', cls.program], cwd=ROOT, check=True)

    def setUp(self):
        folder = tempfile.mkdtemp(dir=self.built)
        self.tpm = Tpm(folder, self.program)
        self.addCleanup(self.tpm.stop)
        self.tpm.reset()

    def found(self, whose, *words):
        outcome, secret, line = self.tpm.boot(*words)
        self.assertEqual(outcome, 'found', line)
        self.assertNotEqual(secret, NOTHING)
        self.assertIn(whose, line)
        self.assertNotIn(secret[:8], line)
        return secret

    def refused(self, why, *words):
        outcome, secret, line = self.tpm.boot(*words)
        self.assertEqual((outcome, secret), ('unusable', NOTHING), line)
        self.assertIn(why, line)

    def not_allowed(self, code, name, *words, data=None):
        ok, output = self.tpm.tool(name, *words, data=data)
        self.assertFalse(ok, '%s %s worked' % (name, words))
        self.assertRegex(output, r'\(0x0*%x\)|\b0x%x\b' % (code, code), name)

    def attributes(self):
        return re.search(r'friendly: (authwrite\S*)', self.tpm.must('nvreadpublic')).group(1)

    def test_same_secret_at_each_boot_and_another_in_another_tpm(self):
        first = self.found('guest cannot replace')
        for _ in range(2):
            self.tpm.reset()
            self.assertEqual(self.found('guest cannot replace'), first)
        self.assertEqual(self.attributes(), 'authwrite|writelocked|writeall|writedefine|authread|'
                         'no_da|readlocked|written|platformcreate|read_stclear')
        self.tpm.stop()
        os.unlink(os.path.join(self.tpm.folder, 'tpm2-00.permall'))
        self.tpm.reset()
        self.assertNotEqual(self.found('guest cannot replace'), first)

    def test_guest_can_neither_read_nor_change_nor_replace_an_index_of_the_platforms(self):
        secret = self.found('guest cannot replace')
        self.not_allowed(0x148, 'nvread', INDEX, '-C', INDEX)
        self.not_allowed(0x148, 'nvread', INDEX, '-C', 'o')
        self.must_not_compare()
        self.must_not_certify()
        self.not_allowed(0x148, 'nvwrite', INDEX, '-C', INDEX, '-i', '-', data=b'k' * 32)
        self.not_allowed(0x185, 'nvundefine', INDEX, '-C', 'p')
        self.not_allowed(0x149, 'nvundefine', INDEX, '-C', 'o')
        self.tpm.must('clear', '-c', 'l')
        self.not_allowed(0x14c, 'nvdefine', INDEX, '-C', 'o', '-s', '32', '-a', OURS)
        self.refused('locked since before this boot')
        self.tpm.reset()
        self.assertEqual(self.found('guest cannot replace'), secret)

    def must_not_compare(self):
        """PolicyNV would tell byte by byte what is in the index."""
        session = os.path.join(self.tpm.folder, 'session')
        self.tpm.must('startauthsession', '--policy-session', '-S', session)
        self.not_allowed(0x148, 'policynv', '-S', session, '-C', INDEX, '-i', '-', INDEX, 'ult',
                         data=b'\x80' + bytes(31))
        self.tpm.must('flushcontext', session)

    def must_not_certify(self):
        """NV_Certify would sign what is in the index, and show it."""
        key, made = (os.path.join(self.tpm.folder, name) for name in ('key', 'made'))
        self.tpm.must('createprimary', '-C', 'o', '-G', 'ecc256:ecdsa-sha256:null', '-c', key,
                      '-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign')
        self.not_allowed(0x148, 'nvcertify', '-C', key, '-c', INDEX, '-g', 'sha256', '-o', made,
                         '--attestation', made, INDEX)

    def test_behind_usual_firmware_the_index_is_the_owners(self):
        self.tpm.firmware()
        secret = self.found("owner's authorization can replace")
        self.not_allowed(0x148, 'nvread', INDEX, '-C', INDEX)
        self.not_allowed(0x148, 'nvwrite', INDEX, '-C', INDEX, '-i', '-', data=b'k' * 32)
        self.tpm.must('changeauth', '-c', 'owner', 'taken')
        self.tpm.reset()
        self.tpm.firmware()
        self.assertEqual(self.found("owner's authorization can replace"), secret)

    def test_an_owners_index_is_refused_where_the_platform_is_open(self):
        self.tpm.firmware()
        self.found("owner's authorization can replace")
        self.tpm.reset()
        self.refused("the owner's where it should be the platform's")

    def test_others_indices_are_refused_and_left_alone(self):
        for attributes, size in [('authread|authwrite', 32), (OURS + '|ownerread', 32),
                                 (OURS.replace('|read_stclear', ''), 32),
                                 (OURS + '|write_stclear', 32), (OURS, 31), (OURS, 33)]:
            self.tpm.firmware()
            self.tpm.plant(attributes, size)
            self.refused('not one of ours')
            content = self.tpm.must('nvread', INDEX, '-C', INDEX, '-s', str(size))
            self.assertEqual(content, 'k' * size)
            self.tpm.must('nvundefine', INDEX, '-C', 'o')
            self.tpm.reset()

    def test_an_index_that_the_power_failed_on_is_completed_once(self):
        self.tpm.must('startup', '-c')
        self.tpm.plant(OURS + '|platformcreate', write=False, owner='p')
        self.refused('no random numbers to make a secret of', 'none')
        self.tpm.reset()
        secret = self.found('guest cannot replace')
        self.tpm.reset()
        self.assertEqual(self.found('guest cannot replace', 'none'), secret)

    def test_an_index_locked_before_is_of_no_use_until_the_reset(self):
        secret = self.found('guest cannot replace')
        self.refused('locked since before this boot')
        self.tpm.reset()
        self.tpm.must('startup', '-c')
        self.tpm.must('nvreadlock', INDEX, '-C', INDEX)
        self.refused('locked since before this boot')
        self.tpm.reset()
        self.assertEqual(self.found('guest cannot replace'), secret)

    def test_nothing_is_defined_where_all_hierarchies_have_an_owner(self):
        self.tpm.firmware()
        self.tpm.must('changeauth', '-c', 'owner', 'taken')
        self.refused('authorization of their own')
        self.assertEqual(self.tpm.must('nvreadpublic').strip(), '')
