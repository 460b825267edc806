"""Links an image and checks it. Nothing unchecked is ever called nacre-APP.elf."""

import os

from SCons.Action import Action

PYTHON = '/usr/bin/python3'
LINKER_SCRIPT = 'platform/x86_64/nacre.lds'


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


def link(env, compiler, app, objects, archives, checks):
    """OUT/nacre-APP.elf: linked once to learn where the functions are, then again with their names
    for the stack traces of a panic, then checked."""
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
    second = linked('second', symbols('with', [str(first[0])], first))

    code = 'tools/build/check_code.py'
    image = env.Command(
        os.path.join(out, 'nacre-%s.elf' % app), [second, first],
        [Action([[PYTHON, tool, '--same', str(first[0]), str(second[0])]], None),
         Action([[PYTHON, code, '${SOURCES[0]}']], '  CHECK  no vector code, no red zone'),
         Action([['cp', '${SOURCES[0]}', '$TARGET']], '  IMAGE  $TARGET')])
    env.Depends(image, [*checks, code, tool])
    return image
