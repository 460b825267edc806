"""Isolated code in turns with a guest: tests/boot/apps/isolation runs some at each CPUID."""
import re

from harness import boot, check, image, payload

RUNS = r"^nacre: summary: isolation cpu=(\d+) runs=(\d+) wrong=(\d+) stops=(\d+) nmis=(\d+)$"


def isolation(cpus, **options):
    work = options.setdefault("work", "poweroff")
    serial = boot("isolation-%d" % cpus, cpus=cpus,
                  source=payload(image=image("isolation"), work=work), **options)
    runs = [[int(word) for word in line] for line in re.findall(RUNS, serial, re.MULTILINE)]
    check([line[0] for line in runs] == list(range(cpus)), "closing lines of CPUs: %s" % runs)
    for _, count, wrong, stops, _ in runs:
        check(count >= 100 and wrong == 0, "%d of %d runs went wrong" % (wrong, count))
        check(stops == count, "%d runs stopped %d times" % (count, stops))


def test_isolation_1cpu():
    """REQ-PAL-9: whatever isolated code does, the guest's work is done."""
    isolation(1)


def test_isolation_2cpu():
    """REQ-PAL-4, REQ-PAL-6: with interrupts, NMIs and stopped worlds of two CPUs all the time."""
    isolation(2, work="stress,nmi")
