#!/usr/bin/python3
"""Boots images in emulators and checks what they do.

    tests/boot/run.py [--list] [-j N] [NAME ...]

NAME selects the tests whose names contain it. Every test runs alone as well. The last line is
'N passed, N failed'; the exit status is 0 only if none failed.
"""
import concurrent.futures
import glob
import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from common import Failure, Parser, build_image, main, number  # noqa: E402
from emulator import Stuck, kill_all  # noqa: E402

# The slowest first, so that the last minutes do not wait for a single one.
SLOW = ("i386_4", "i386_2", "amd64_8", "i386_1", "stress", "hotplug", "amd64_4",
        "chain_from_disk_2")


def all_tests():
    """{name: function} of every test_... function in the test_....py files here."""
    tests = {}
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                              "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function):
                tests[name[len("test_"):]] = function
    return tests


def by_length(name):
    return next((at for at, part in enumerate(SLOW) if part in name), len(SLOW))


def run_one(name, function):
    """(name, seconds, report): the report is empty if the test passed."""
    started = time.monotonic()
    try:
        function()
        report = ""
    except (Stuck, Failure, AssertionError) as wrong:
        report = str(wrong) or traceback.format_exc()
    except Exception:  # a fault of the test itself is a failure like any other
        report = traceback.format_exc()
    return name, time.monotonic() - started, report


def command(arguments):
    parser = Parser(description="Boot tests.")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    parser.add_argument("--no-build", action="store_true", help="use the images that are there")
    parser.add_argument("-j", type=number(1, 64), default=os.cpu_count() or 1, metavar="N",
                        help="machines at a time (%(default)s)")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    tests = all_tests()
    chosen = [name for name in tests
              if not options.names or any(part in name for part in options.names)]
    if not chosen:
        raise Failure("no test's name contains %s" % " or ".join(options.names), 2)
    if options.list:
        print("\n".join(chosen))
        return 0
    if not options.no_build:
        for app, libc in ((harness.APP, "picolibc"), ("hello", "picolibc"),
                          ("tests/boot/apps/isolation", "picolibc"), (harness.APP, "newlib")):
            build_image(app, libc)
        # They overflow on purpose, call through tables of tests, have no further CPUs.
        for app in ("contract", "fault", "overflow", "tpm"):
            build_image("tests/boot/apps/" + app, proof="off")
    for arch in harness.guest.ARCHITECTURES:
        harness.guest.initramfs.build(arch)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        try:
            runs = [pool.submit(run_one, name, tests[name])
                    for name in sorted(chosen, key=by_length)]
            for run in concurrent.futures.as_completed(runs):
                name, seconds, report = run.result()
                failed += bool(report)
                print("%s %s %.1f s" % ("FAIL" if report else "ok", name, seconds))
                if report:
                    print("    " + report.replace("\n", "\n    "))
                sys.stdout.flush()
        except BaseException:
            for run in runs:
                run.cancel()
            kill_all()
            raise
    print("%d passed, %d failed" % (len(chosen) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    main(command)
