#!/usr/bin/python3
"""Tests of the build itself, on copies of the tree: tests/build/run.py [NAME ...]"""

import sys
import unittest

import test_arrows
import test_clib
import test_image
import test_incremental
import test_options
import test_stack
import test_stack_image
import test_tools


def main():
    loader = unittest.TestLoader()
    loader.testNamePatterns = ['*%s*' % name for name in sys.argv[1:]] or None
    suite = unittest.TestSuite(loader.loadTestsFromModule(module) for module in (
        test_options, test_arrows, test_image, test_incremental, test_clib, test_stack,
        test_stack_image, test_tools))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    # A module that could not be set up is an error, but no test that ran.
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == '__main__':
    main()
