"""Copies of the source tree to break on purpose. The first copy is built once; the others start
from what it built, so that each test compiles only what it changes."""

import atexit
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ['SConstruct', 'site_scons', 'tools', 'third_party', 'config', 'libbase', 'libept',
         'libvmx', 'libsmp', 'libtpm', 'libtv', 'platform', 'apps', 'guests']
APP = 'hello'
ELF = 'build/picolibc-O2/nacre-%s.elf' % APP

_scratch = tempfile.mkdtemp(prefix='nacre-build-')
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
_built = None


class Tree:
    """One copy."""

    def __init__(self, source=ROOT, parts=None):
        self.path = tempfile.mkdtemp(dir=_scratch)
        for part in parts or PARTS:
            origin = os.path.join(source, part)
            if os.path.isdir(origin):
                shutil.copytree(origin, self.file(part), symlinks=True)
            else:
                shutil.copy(origin, self.file(part))

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text, mode='w'):
        with open(self.file(name), mode, encoding='utf-8') as file:
            file.write(text)

    def read(self, name):
        with open(self.file(name), 'rb') as file:
            return file.read()

    def scons(self, *words):
        """(exit status, output)"""
        result = subprocess.run(['scons', '-Q', '-C', self.path, 'app=' + APP, *words],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        return result.returncode, result.stdout


def fresh(source=ROOT):
    """An unbuilt copy, built now."""
    tree = Tree(source)
    status, output = tree.scons()
    if status:
        raise RuntimeError('the tree does not build:\n' + output)
    return tree


def built():
    """The copy that was built first. Not to be changed."""
    global _built
    if _built is None:
        _built = fresh()
    return _built


def copy():
    """A copy of the built tree, to be changed."""
    return Tree(built().path, PARTS + ['build'])
