"""A library of others, like the image's C library: fetched, checked, unpacked and patched as
third_party/NAME/recipe.py says. The unpacked folder lies in build/ and is named after the recipe's
content, so that a changed recipe is a different folder and everything that includes from it is
compiled again."""

import hashlib
import os
import shutil
import subprocess
import tarfile

import flags

APT_HELPER = '/usr/lib/apt/apt-helper'


class Unavailable(Exception):
    """The sources cannot be had; the text says what to do."""


class Library:
    """Where one prepared library lies and how it is compiled."""

    def __init__(self, recipe, folder):
        self.name = recipe['NAME']
        self.folder = folder
        self.include = [os.path.normpath(os.path.join(folder, path))
                        for path in recipe['INCLUDE']]
        self.private_include = [os.path.join(folder, path) for path in recipe['PRIVATE_INCLUDE']]
        self.defines = recipe['DEFINES']
        self.sources = self._listed(recipe['SOURCES'])
        self.test_sources = self._listed(recipe.get('TEST_SOURCES', {}))
        self.sources += [os.path.join(folder, name) for name in recipe['OWN_SOURCES']]
        # It is compiled with these and with the flags of a machine.
        self.flags = [*flags.THIRD_PARTY,
                      *('-I' + path for path in [*self.include, *self.private_include])]

    def _listed(self, table):
        return [os.path.join(self.folder, directory, name + '.c')
                for directory, names in table.items() for name in names.split()]


def prepare(name, recipe_dir, build_dir):
    """Returns the Library, after making its folder if it is not there yet."""
    with open(os.path.join(recipe_dir, 'recipe.py'), encoding='utf-8') as file:
        text = file.read()
    recipe = {}
    exec(compile(text, name, 'exec'), recipe)  # our own file: data only
    own_files = sorted(file for file in os.listdir(recipe_dir) if file.endswith(('.c', '.h')))
    digest = hashlib.sha256(text.encode())
    for own in own_files:
        with open(os.path.join(recipe_dir, own), 'rb') as file:
            digest.update(file.read())
    folder = os.path.join(build_dir, 'third_party',
                          '%s-%s-%s' % (name, recipe['VERSION'], digest.hexdigest()[:8]))
    if not os.path.isdir(folder):
        _make_folder(recipe, recipe_dir, own_files, folder)
    return Library(recipe, folder)


def _make_folder(recipe, recipe_dir, own_files, folder):
    archive = recipe['PACKAGE_FILE'] or _fetch(recipe)
    if not os.path.exists(archive):
        raise Unavailable('%s is missing: run ./nacre setup' % archive)
    unfinished = folder + '.new'
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name.partition('/')[2]
            if member.isfile() and '..' not in path and path.startswith(tuple(recipe['UNPACK'])):
                member.name = path
                tar.extract(member, unfinished, set_attrs=False)
    for path, text, replacement, places in recipe['PATCHES']:
        _patch(os.path.join(unfinished, path), text, replacement, places)
    for own in own_files:
        shutil.copy(os.path.join(recipe_dir, own), unfinished)
    os.rename(unfinished, folder)


def _patch(path, text, replacement, places):
    with open(path, encoding='utf-8') as file:
        content = file.read()
    if content.count(text) != places:
        raise Unavailable('%s: expected %d places to patch, found %d'
                          % (path, places, content.count(text)))
    with open(path, 'w', encoding='utf-8') as file:
        file.write(content.replace(text, replacement))


def _cache_dir():
    return os.environ.get('NACRE_CACHE') or os.path.expanduser('~/.cache/nacre')


def _sum_is_right(path, sha256):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest() == sha256


def _mirrors():
    """Addresses of the mirrors that this machine's own apt uses, in its order."""
    listing = subprocess.run(['apt-get', 'indextargets', '--format', '$(REPO_URI)',
                              'Created-By: Packages'],
                             stdout=subprocess.PIPE, text=True, check=False).stdout
    return list(dict.fromkeys(listing.split()))


def _fetch(recipe):
    """Path of the archive in the cache, its sum checked on every use."""
    cached = os.path.join(_cache_dir(), recipe['ARCHIVE'])
    if os.path.exists(cached) and _sum_is_right(cached, recipe['SHA256']):
        return cached
    os.makedirs(_cache_dir(), exist_ok=True)
    for mirror in _mirrors():
        url = mirror.rstrip('/') + '/' + recipe['POOL_PATH']
        partial = '%s.%d' % (cached, os.getpid())
        result = subprocess.run([APT_HELPER, 'download-file', url, partial,
                                 'SHA256:' + recipe['SHA256']],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if result.returncode == 0 and _sum_is_right(partial, recipe['SHA256']):
            os.rename(partial, cached)
            return cached
        if os.path.exists(partial):
            os.remove(partial)
    raise Unavailable('%s could not be fetched from the mirrors that apt uses: put it into %s '
                      '(SHA-256 %s)%s' % (recipe['ARCHIVE'], _cache_dir(), recipe['SHA256'],
                                          recipe.get('INSTEAD', '')))
