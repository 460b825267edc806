"""Unit tests: every tests/**/test_NAME.c is one program of its own, linked with the library that it
tests, what that library may use, and the fake machine."""

import os

from SCons.Action import Action

PYTHON = '/usr/bin/python3'
UNIT = 'tests/unit'
FAKE = 'platform/fake'
HELPERS = 'tests/unit/common'
CRYPTO = 'tests/unit/crypto'  # its library's own tests


def third_party(env, compiler, libraries):
    """{name: (library, archive)}; the archives have what only the libraries' own tests use, too."""
    found = {}
    for name, library in libraries.items():
        objects = compiler.objects([*library.sources, *library.test_sources],
                                   CPPDEFINES=library.defines,
                                   CCFLAGS=[*library.flags, *env['CCFLAGS']])
        path = os.path.join(compiler.out, library.name + '.a')
        found[name] = (library, env.StaticLibrary(path, objects)[0])
    return found


def programs(env, compiler, libs, fake_uses, apps, includes, sources, others):
    """All test programs of one variant, in a fixed order."""
    def archive(name, include):
        path = os.path.join(compiler.out, name.replace('/', '-') + '.a')
        return env.StaticLibrary(path, compiler.objects(sources(name), include))[0]

    machine = [FAKE, os.path.join(FAKE, 'include'), HELPERS, *includes(fake_uses)]
    archives = {name: archive(name, [os.path.join(name, 'include'), *includes(uses.split())])
                for name, uses in libs.items()}
    archives.update({name: built for name, (_, built) in others.items()})
    archives[FAKE] = archive(FAKE, machine)
    archives['apps/common'] = archive('apps/common', ['apps/common', *includes(apps)])
    archives[HELPERS] = archive(HELPERS, [*machine, *includes(apps)])

    # folder of tests, archives that they are linked with, include folders besides the machine's
    # The longest first, so that no CPU waits for it in the end.
    groups = [(os.path.join(UNIT, name), [name],
               [library.folder, *library.include, *library.private_include])
              for name, (library, _) in others.items()]
    groups += [(os.path.join(UNIT, name), [name, *uses.split(), 'libbase'],
                [name, os.path.join(name, 'include'), *includes(uses.split())])
               for name, uses in libs.items()]
    groups += [(os.path.join(UNIT, 'fake'), ['libbase'], []),
               ('tests/contract', ['libbase', *others], includes(others)),
               (os.path.join(UNIT, 'apps'), ['apps/common', *apps],
                ['apps/common', *includes(apps)])]

    found = []
    for folder, linked, include in groups:
        used = [archives[name] for name in dict.fromkeys([*linked, FAKE, HELPERS])
                if name in archives]
        for path in sources(folder, 'test_*.c'):
            test = compiler.objects([path], list(dict.fromkeys([*include, *machine])))
            found.append(_link(env, test, used))
    return found


def _link(env, test, archives):
    return env.Program(os.path.splitext(test[0].path)[0], test, LIBS=[*archives, 'cmocka'])[0]


def unit(env, compiler, tests):
    """`scons unit`: builds and runs all."""
    runner = 'tools/build/run_unit.py'
    run = env.Command('unit', tests, [Action([[PYTHON, runner, *map(str, tests)]], None)])
    env.AlwaysBuild(env.Alias('unit', run))


def coverage(env, compiler, tests):
    """`scons coverage`: runs all tests of ours and makes the report. Those of others run nothing of
    ours, and their unused functions vanish only where the compiler optimizes."""
    tests = [test for test in tests if '/%s/' % CRYPTO not in test.path]
    tool = 'tools/build/coverage.py'
    run = env.Command('coverage', tests,
                      [Action([[PYTHON, tool, compiler.out, *map(str, tests)]], None)])
    env.AlwaysBuild(env.Alias('coverage', run))
