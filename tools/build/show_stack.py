#!/usr/bin/python3
"""./nacre stack [--json] [--measured FILE] [app=..] [libc=..] [opt=..]: how deep every library and
every stack of an image can get, against what config/stack.h gives it (docs/stack.md).

What a boot measured is read from a console that was saved, by default
build/LIBC-OPT/stack-APP.console, and believed only if it is of the same image.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import stackreport

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINE = re.compile(r'summary: stack cpu=\d+((?: \S+=\d+/\d+/\d+)+)')
USED = re.compile(r' (\S+)=(\d+)/(\d+)/(\d+)')  # name, used, computed, size


def refuse(text):
    print('nacre: ' + text, file=sys.stderr)
    sys.exit(2)


def parse(words):
    choice = {'app': 'trustvisor', 'libc': 'picolibc', 'opt': 'O2'}
    as_json, measured = False, None
    words = list(words)
    while words:
        word = words.pop(0)
        name, _, value = word.partition('=')
        if word == '--json':
            as_json = True
        elif word == '--measured' and words:
            measured = words.pop(0)
        elif word in ('--help', '-h'):
            print(__doc__)
            sys.exit(0)
        elif name in choice and value:
            choice[name] = value
        else:
            refuse('stack: what is %s? ./nacre stack --help lists the options' % word)
    return choice, as_json, measured


def add_measured(result, path):
    """The deepest use of each stack of any CPU, if the console's image had the same numbers."""
    computed = {row['stack']: row['computed_bytes'] for row in result['stack_lines']}
    for row in result['stack_lines']:
        row['measured_bytes'] = None
    if not os.path.exists(path):
        return
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = USED.findall(''.join(LINE.findall(file.read())))
    if any(computed.get(name) != int(bound) for name, _, bound, _ in lines):
        print('nacre: %s is of another image; what it measured is not shown' % path,
              file=sys.stderr)
        return
    for row in result['stack_lines']:
        row['measured_bytes'] = max((int(used) for name, used, _, _ in lines
                                     if name == row['stack']), default=None)


def main():
    choice, as_json, measured = parse(sys.argv[1:])
    built = subprocess.run(['scons', '-Q', '-C', ROOT,
                            *('%s=%s' % pair for pair in choice.items())],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if built.returncode != 0:
        shown = [line for line in built.stdout.splitlines() if not line.startswith('  ')]
        print('\n'.join(shown if built.returncode == 2 else built.stdout.splitlines()[-80:]),
              file=sys.stderr)
        sys.exit(built.returncode)
    folder = os.path.join(ROOT, 'build', '%s-%s' % (choice['libc'], choice['opt']))
    base = os.path.join(folder, 'stack-' + os.path.basename(choice['app'].rstrip('/')))
    with open(base + '.json', encoding='ascii') as file:
        result = json.load(file)
    add_measured(result, measured or base + '.console')
    if as_json:
        for row in result['library_lines']:
            print(json.dumps({key: row[key] for key in ('library', 'budget_bytes', 'worst_bytes',
                                                        'chain')}))
        for row in result['stack_lines']:
            print(json.dumps({key: row[key] for key in ('stack', 'size_bytes', 'computed_bytes',
                                                        'measured_bytes')}))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1 << 20
    print(stackreport.table(result, max(width, 80)))
    print('\nThe picture: %s.html' % os.path.relpath(base))


if __name__ == '__main__':
    main()
