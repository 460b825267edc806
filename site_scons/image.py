"""Links an image and checks it. Nothing unchecked is ever called nacre-APP.elf."""

import os

from SCons.Action import Action

PYTHON = '/usr/bin/python3'
LINKER_SCRIPT = 'platform/x86_64/nacre.lds'
STACK_HEADER = 'config/stack.h'


def arrows(env, out, name, binaries, uses, others, prefixes, sources, any_other=False):
    """A stamp that exists only if the library keeps to its line in the LIBS table."""
    tool = 'tools/build/check_arrows.py'
    command = [PYTHON, tool, '--name', name, '--archive', *map(str, binaries),
               '--uses', *map(str, uses), '--others', *map(str, others),
               '--prefixes', *prefixes, '--sources', *map(str, sources)]
    if any_other:
        command.append('--any')
    stamp = env.Command(os.path.join(out, name.replace('/', '-') + '.arrows'),
                        [*binaries, *uses, *others, *sources],
                        [Action([command + ['--stamp', '$TARGET']],
                                    '  CHECK  what %s uses' % name)])
    env.Depends(stamp, tool)
    return stamp


class Proof:
    """What the stack proof is told: objects of each library, rules, arrows; `off` to disobey it."""

    def __init__(self, libraries, rules, arrows, off):
        self.libraries, self.rules, self.arrows, self.off = libraries, rules, arrows, off

    def result(self, env, app, out, linked):
        """OUT/stack-APP.json, which exists only if no stack of the image can overflow."""
        tool = 'tools/build/stack.py'
        command = [PYTHON, tool, '--elf', '${SOURCES[0]}', '--header', STACK_HEADER,
                   '--title', 'nacre-%s, %s' % (app, os.path.basename(out)),
                   '--result', '${TARGETS[0]}', '--page', '${TARGETS[1]}',
                   '--rules', *self.rules, '--arrows', *self.arrows]
        for name, objects in self.libraries.items():
            command += ['--library', name, *map(str, objects)]
        if self.off:
            command.append('--off')
        objects = [node for nodes in self.libraries.values() for node in nodes]
        base = os.path.join(out, 'stack-' + app)
        result = env.Command([base + '.json', base + '.html'], [linked, *objects],
                             [Action([command], '  PROOF  stacks of %s' % app)])
        env.Depends(result, [STACK_HEADER, *self.rules, *env.Glob('tools/build/stack*.py')])
        return result


def link(env, compiler, app, objects, archives, checks, proof):
    """OUT/nacre-APP.elf: linked once to learn where the functions are and how deep the stacks get,
    then again with the functions' names and those numbers for its own reports, then checked."""
    out = compiler.out
    base = os.path.join(out, 'link', app)
    tool = 'tools/build/symtab.py'

    def symbols(step, arguments, sources):
        source = env.Command('%s.%s-symtab.S' % (base, step), sources,
                             [Action([[PYTHON, tool, *arguments, '-o', '$TARGET']],
                                         '  SYMS   $TARGET')])
        env.Depends(source, tool)
        return compiler.objects(source)

    def linked(step, symtab):
        target = '%s.%s.elf' % (base, step)
        inputs = [*objects, *symtab]
        command = ['$CC', '-o', '$TARGET', *env['LINKFLAGS'], '-Wl,-Map=%s.%s.map' % (base, step),
                   '-T', LINKER_SCRIPT, *map(str, inputs),
                   '-Wl,--start-group', *map(str, archives), '-Wl,--end-group', '-lgcc']
        node = env.Command(target, [*inputs, *archives],
                           [Action([command], '  LINK   $TARGET')])
        env.Depends(node, LINKER_SCRIPT)
        env.Clean(node, '%s.%s.map' % (base, step))
        return node

    first = linked('first', symbols('no', ['--empty'], []))
    proven = proof.result(env, app, out, first[0])
    second = linked('second', symbols('with', [str(first[0]), '--proof', str(proven[0])],
                                      [first[0], proven[0]]))

    code = 'tools/build/check_code.py'
    image = env.Command(
        os.path.join(out, 'nacre-%s.elf' % app), [second, first],
        [Action([[PYTHON, tool, '--same', str(first[0]), str(second[0])]], None),
         Action([[PYTHON, code, '${SOURCES[0]}']], '  CHECK  no vector code, no red zone'),
         Action([['cp', '${SOURCES[0]}', '$TARGET']], '  IMAGE  $TARGET')])
    env.Depends(image, [*checks, code, tool])
    return image
