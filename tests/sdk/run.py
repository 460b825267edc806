#!/usr/bin/python3
"""Tests of the guests' SDK on this machine: tests/sdk/run.py [NAME ...]

Every tests/sdk/test_*.py is loaded; the SDK is built first.
"""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def main():
    sys.path.insert(0, HERE)
    subprocess.run([os.path.join(ROOT, 'tools/sdk.py')], check=True, stdout=subprocess.DEVNULL)
    loader = unittest.TestLoader()
    loader.testNamePatterns = ['*%s*' % name for name in sys.argv[1:]] or None
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(loader.discover(HERE))
    failed = len(result.failures) + len(result.errors)
    # A module that could not be set up is an error, but no test that ran.
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == '__main__':
    main()
