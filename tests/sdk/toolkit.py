"""What the tests of the SDK share: building a PAL and its program, and reading them back."""

import hashlib
import os
import struct
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, 'tests/sdk')
SDK = os.path.join(ROOT, 'build/sdk')
WIDTHS = (64, 32)
PAGE = 4096
CODE, DATA, PARAM, STACK = 1, 2, 3, 4


def run(words, **options):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)


def must(words, **options):
    result = run(words, **options)
    if result.returncode:
        raise AssertionError('%s: %s' % (' '.join(words), result.stderr + result.stdout))
    return result.stdout


def compile_pal(folder, source, width, *options, name='pal.o'):
    """Runs nacre-pal-cc; (its result, the object's path)."""
    target = os.path.join(folder, name)
    return run([os.path.join(SDK, 'bin/nacre-pal-cc'), '-m%d' % width, *options, '-o', target,
                source]), target


def program(folder, width, pal_source, main_source, *options, name='program', pal_options=()):
    """A program with a PAL in it; its path."""
    done, pal = compile_pal(folder, pal_source, width, *pal_options, name=name + '.pal.o')
    if done.returncode or done.stderr:
        raise AssertionError('nacre-pal-cc: ' + done.stderr)
    target = os.path.join(folder, name)
    must(['gcc', '-m%d' % width, '-g', '-Wall', '-Wextra', '-Werror', '-no-pie', *options,
          '-I' + os.path.join(SDK, 'include'), main_source, pal,
          os.path.join(SDK, 'lib%d/libnacre.a' % width),
          '-Wl,-T,' + os.path.join(SDK, 'pal.lds'), '-o', target])
    return target


def simulated(path, *arguments, **environment):
    return run([path, *arguments], env=dict(os.environ, PAL_SIMULATION='1', **environment))


def section(path, name):
    """(address, bytes) of a section of an ELF file."""
    for line in must(['readelf', '-SW', path]).splitlines():
        words = line.replace('[ ', '[').split()
        if len(words) > 5 and words[1] == name:
            with open(path, 'rb') as file:
                file.seek(int(words[4], 16))
                return int(words[3], 16), file.read(int(words[5], 16))
    raise AssertionError('%s has no section %s' % (path, name))


def measure(path):
    """(SHA-256 identity, SHA-1 register 0), as docs/pal-interface.md says, from the file alone."""
    _, described = section(path, '.pal_descriptor')
    magic, version, flags, width, count = struct.unpack_from('<8sIIII', described)
    entry, = struct.unpack_from('<Q', described, 24)
    param_pages, stack_pages = struct.unpack_from('<II', described, 72)
    if magic != b'NACREPA\0' or version != 1:
        raise AssertionError('not a description: %r' % described[:16])
    parts = [(CODE, *section(path, '.pal_code')), (DATA, *section(path, '.pal_data')),
             (PARAM, None, bytes(PAGE * param_pages)), (STACK, None, bytes(PAGE * stack_pages))]
    identity, register = bytes(32), bytes(20)
    digest = hashlib.sha256(struct.pack('<IIIIQ', 1, width, flags, count, entry) +
                            described[112:112 + 16 * count]).digest()
    identity = hashlib.sha256(identity + digest).digest()
    for kind, start, content in parts:
        head = struct.pack('<I', kind) + (b'' if start is None else struct.pack('<Q', start)) + \
            struct.pack('<Q', len(content))
        identity = hashlib.sha256(identity + hashlib.sha256(head + content).digest()).digest()
        register = hashlib.sha1(register + hashlib.sha1(head + content).digest()).digest()
    return identity, register


class FolderCase(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)
        return path
