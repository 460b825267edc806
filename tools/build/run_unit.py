#!/usr/bin/python3
"""Runs unit test programs in parallel and prints one summary: 'N passed, N failed'."""

import concurrent.futures
import os
import re
import subprocess
import sys
import time

TIMEOUT_S = 60


def run(program, timeout_s=TIMEOUT_S):
    """(program, passed, failed, output)"""
    try:
        result = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors='replace', timeout=timeout_s, check=False)
        output, code = result.stdout, result.returncode
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b'').decode(errors='replace') + 'no end after %d s\n' % timeout_s
        code = -1
    passed = sum(map(int, re.findall(r'\[  PASSED  \] (\d+) test', output)))
    failed = sum(map(int, re.findall(r'\[  FAILED  \] (\d+) test', output)))
    if failed == 0 and (code != 0 or passed == 0):
        failed = 1  # it crashed, or tested nothing
        output += 'exit status %d\n' % code
    return program, passed, failed, output


def run_all(programs, timeout_s=TIMEOUT_S):
    """What run() returns for each, in the order given."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda program: run(program, timeout_s), programs))


def main():
    started = time.monotonic()
    results = run_all(sys.argv[1:])
    for program, _, failed, output in results:
        if failed:
            print('---- %s\n%s' % (program, output), end='')
    print('unit: %d programs in %.1f s' % (len(results), time.monotonic() - started))
    passed, failed = (sum(result[column] for result in results) for column in (1, 2))
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(1 if failed or not passed else 0)


if __name__ == '__main__':
    main()
