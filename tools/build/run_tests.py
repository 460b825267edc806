#!/usr/bin/python3
"""./nacre test [PART [NAME ...]]: runs every part, or one, and adds up what they report.

Each part ends with a line 'N passed, N failed'; so does this program, as its last line.
"""

import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORT = re.compile(r'^(\d+) passed, (\d+) failed$')
LIBCS = ['picolibc', 'newlib']


def apps():
    return sorted(entry.name for entry in os.scandir('apps')
                  if entry.is_dir() and entry.name != 'common')


def run(words):
    """(passed, failed): streams what a part prints, and keeps its report for the sum."""
    print('==== ' + ' '.join(words), flush=True)
    started = time.monotonic()
    report = None
    if '/' in words[0] and not os.access(words[0], os.X_OK):
        print('there is no program %s' % words[0])
        return 0, 1
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace') as process:
        for line in process.stdout:
            found = REPORT.match(line)
            if found:
                report = int(found.group(1)), int(found.group(2))
            else:
                print(line, end='', flush=True)
    passed, failed = report or (0, 0)
    if process.returncode != 0 and failed == 0:
        failed = 1
        print('failed with status %d: %s' % (process.returncode, ' '.join(words)))
    elif report is None:
        passed = 1
    print('---- %d passed, %d failed in %.0f s' % (passed, failed, time.monotonic() - started),
          flush=True)
    return passed, failed


def images():
    """Every hypapp with each C library, and every optimization: each build proves its stacks."""
    chosen = [[libc, app, 'O2'] for libc in LIBCS for app in apps()]
    chosen += [[libc, 'trustvisor', opt] for libc in LIBCS for opt in ('Os', 'Og')]
    return [['scons', '-Q', 'libc=' + libc, 'app=' + app, 'opt=' + opt]
            for libc, app, opt in chosen]


def unit(names):
    return [['scons', '-Q', 'unit', *(['tests=' + ','.join(names)] if names else [])]]


PARTS = {
    'lint': lambda names: [['tools/build/lint.py', *names]],
    'unit': unit,
    'build': lambda names: [['tests/build/run.py', *names]],
    'sdk': lambda names: [['tests/sdk/run.py', *names]],
    'fuzz': lambda names: [['tools/fuzz.py', *names]],
    'proof': lambda names: [['tools/prove.py', '--or-skip', *names]],
    'images': lambda names: images(),
    'boot': lambda names: [['tests/boot/run.py', *names]],
}


def main():
    os.chdir(ROOT)
    part, names = (sys.argv[1:2] or [None])[0], sys.argv[2:]
    if part is not None and part not in PARTS:
        print('nacre: unknown part %s: choose one of %s' % (part, ', '.join(PARTS)),
              file=sys.stderr)
        sys.exit(2)
    if part == 'images' and names:
        print('nacre: test images takes no names', file=sys.stderr)
        sys.exit(2)
    commands = PARTS[part](names) if part else [words for make in PARTS.values()
                                                for words in make([])]
    totals = [run(words) for words in commands]
    passed, failed = (sum(column) for column in zip(*totals))
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
