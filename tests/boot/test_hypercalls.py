"""The guest interface through the SDK, from ring 3, by processes of both widths (REQ-PAL-10)."""
import re

from harness import BOOT_SECONDS, Bochs, boot, check, image, payload

OK = r"^NACRE-GUEST: hypercalls ok detected=(\w+) width=(\d+)(?: calls=(\d+))?$"
TESTED = r"^nacre: CPU \d+: guest test call, argument 0x5d4a00(\w\w)$"
CALLS = 6133                            # 511 numbers, 6 sets of junk, two ways; and one TEST


def check_processes(serial, widths, detected):
    """One line of each process; with a TrustVisor, its log holds the TEST call of each as well."""
    seen = re.findall(OK, serial, re.MULTILINE)
    calls = str(CALLS) if detected == "yes" else ""
    check(seen == [(detected, str(width), calls) for width in widths], "processes said %s" % seen)
    logged = [int(value, 16) for value in re.findall(TESTED, serial, re.MULTILINE)]
    check(logged == (widths if detected == "yes" else []), "TEST calls in the log: %s" % logged)
    check("hypercalls failed" not in serial, "a process failed")


def test_hypercalls_amd64():
    serial = boot("hypercalls", cpus=2, work="hypercalls")
    check_processes(serial, [64, 32], "yes")


def test_hypercalls_i386():
    serial = boot("hypercalls-i386", arch="i386", work="hypercalls")
    check_processes(serial, [32], "yes")


def test_hypercalls_not_there_with_hello():
    """Another hypapp: the detection says no, and nothing dies."""
    source = payload(image=image("hello"), work="hypercalls")
    check_processes(boot("hypercalls-hello", source=source, work="hypercalls"), [64, 32], "no")


def test_hypercalls_not_there_bare():
    """No hypervisor at all."""
    with Bochs("hypercalls-bare", payload(bare=True, work="hypercalls")) as machine:
        machine.wait(r"^NACRE-GUEST: poweroff$", BOOT_SECONDS)
        machine.wait_end(60)
        check_processes(machine.serial, [64, 32], "no")
