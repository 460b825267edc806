#!/usr/bin/python3
"""Runs the coverage variant of the unit tests; writes an HTML report and prints a table."""

import glob
import os
import subprocess
import sys

import run_unit

TIMEOUT_S = 120  # unoptimized and counted


def quietly(*words):
    """Debian's lcov prints Perl warnings on every run; shown only if it fails."""
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    if result.returncode:
        sys.exit(result.stdout)


def lcov(*arguments):
    quietly('lcov', '--quiet', '--rc', 'lcov_branch_coverage=1', *arguments)


def table(info):
    """{library: [lines found, lines hit, branches found, branches hit]}"""
    totals = {}
    row = None
    with open(info, encoding='utf-8') as file:
        for line in file:
            key, _, value = line.strip().partition(':')
            if key == 'SF':
                parts = os.path.relpath(value).split(os.sep)
                name = '/'.join(parts[:2]) if parts[0] in ('platform', 'apps') else parts[0]
                row = totals.setdefault(name, [0, 0, 0, 0])
            elif key in ('LF', 'LH', 'BRF', 'BRH'):
                row[['LF', 'LH', 'BRF', 'BRH'].index(key)] += int(value)
    return totals


def percent(hit, found):
    return '%5.1f %%' % (100.0 * hit / found) if found else '      -'


def main():
    out, tests = sys.argv[1], sys.argv[2:]
    for stale in glob.glob(out + '/**/*.gcda', recursive=True):
        os.remove(stale)
    failed = [program for program, _, failures, _ in run_unit.run_all(tests, TIMEOUT_S)
              if failures]
    info = os.path.join(out, 'coverage.info')
    lcov('--capture', '--directory', out, '--base-directory', '.', '--no-external',
         '--output-file', info)
    lcov('--remove', info, os.path.abspath('tests') + '/*',
         os.path.abspath('build/third_party') + '/*', '--output-file', info)
    html = os.path.join(out, 'html')
    quietly('genhtml', '--quiet', '--branch-coverage', '--title', 'Nacre', '--prefix', os.getcwd(),
            '--output-directory', html, info)
    print('%-18s %9s %9s   lines' % ('', 'lines', 'branches'))
    for name, (found, hit, branches, branches_hit) in sorted(table(info).items()):
        print('%-18s %9s %9s   %d/%d' % (name, percent(hit, found),
                                         percent(branches_hit, branches), hit, found))
    print('report: %s/index.html' % html)
    if failed:
        sys.exit('coverage: tests failed: ' + ' '.join(failed))


if __name__ == '__main__':
    main()
