"""Compiles sources into objects below one build folder, and remembers every command for the
compilation database (build/compile_commands.json) that clang-tidy and editors read."""

import json
import os

from SCons.Subst import SUBST_CMD

# The compiler is told that headers below are somebody else's: their warnings are not ours to mend.
THIRD_PARTY = 'build/third_party/'

_commands = []


class Compiler:
    """One set of flags and one output folder."""

    def __init__(self, env, out, stack_report=()):
        self.env = env
        self.out = out
        self.stack_report = list(stack_report)

    def target(self, source, prefix=None):
        """libX/file.c -> OUT/libX/file.o; prefix replaces the folder of one outside the tree."""
        path = str(source)
        if prefix:
            path = os.path.join(prefix, os.path.basename(path))
        for made in (self.out, 'build'):
            if path.startswith(made + os.sep):
                path = os.path.relpath(path, made)
        stem, extension = os.path.splitext(path)
        return os.path.join(self.out, stem + ('_S.o' if extension == '.S' else '.o'))

    def objects(self, sources, include=(), prefix=None, **overrides):
        """One object for each source; include folders are all that it sees."""
        return [self._object(source, list(include), prefix, overrides) for source in sources]

    def _object(self, source, include, prefix, overrides):
        target = self.target(source, prefix)
        is_c = str(source).endswith('.c')
        flags = list(overrides.get('CCFLAGS', self.env['CCFLAGS']))
        if is_c:
            flags += self.stack_report
        flags += [word for path in include if path.startswith(THIRD_PARTY)
                  for word in ('-isystem', path)]
        settings = dict(overrides, CPPPATH=['#' + path if not os.path.isabs(path) else path
                                            for path in include
                                            if not path.startswith(THIRD_PARTY)], CCFLAGS=flags)
        node = self.env.Object(target, source, **settings)
        if is_c and self.stack_report:
            beside = [os.path.splitext(target)[0] + extension for extension in ('.su', '.ci')]
            self.env.SideEffect(beside, node)
            self.env.Clean(node, beside)
        command = self.env.Override(settings).subst(
            '$CCCOM' if is_c else '$ASPPCOM', raw=SUBST_CMD, target=node,
            source=[self.env.File(source)])
        _commands.append({'directory': self.env.Dir('#').abspath, 'command': command,
                          'file': str(source), 'output': target})
        return node[0]


def write_compilation_database(path):
    """Written only when it changes, so that readers do not start over."""
    text = json.dumps(sorted(_commands, key=lambda entry: entry['output']), indent=1) + '\n'
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            if file.read() == text:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
