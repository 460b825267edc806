"""Faults of the hypervisor itself: caught, reported, the other CPUs stopped first."""
import re

from harness import Bochs, Payload, check, image

CPUS = 2


def fault(name, cpu, *expected):
    """Boots the hypapp that breaks on purpose on that CPU; every pattern is in its report."""
    source = Payload(image("fault"), modules=[(__file__, "fault %s %d" % (name, cpu))])
    with Bochs("fault-%s" % name, source, cpus=CPUS,
               extra=["cpu: ignore_bad_msrs=0"]) as machine:
        machine.wait(r"^nacre: PANIC: halted$", 60)
        try:
            for pattern in (*expected, r"  #0 0x[0-9a-f]+ \S+\+0x", r"CPU %d stopped " % (1 - cpu)):
                check(re.search("^nacre: PANIC: .*" + pattern, machine.serial, re.MULTILINE),
                      "no line with /%s/ in the report" % pattern)
            check("was not caught" not in machine.serial, "the fault was not caught")
        except AssertionError as wrong:
            raise AssertionError(machine.report(str(wrong)))


def test_fault_write_text():  # REQ-MEM-5
    fault("write-text", 0, r"#PF .* on CPU 0 at \S+ write_text\+0x\w+, error code 0x3")


def test_fault_write_constant():  # REQ-MEM-5
    fault("write-constant", 1, r"#PF .* on CPU 1 at \S+ write_constant\+0x\w+, error code 0x3")


def test_fault_execute_data():  # REQ-MEM-5
    fault("execute-data", 0, r"#PF .* on CPU 0 .*, error code 0x11", r"  #\d 0x[0-9a-f]+ app_main")


def test_fault_overflow_boot_cpu():  # REQ-STK-1
    fault("overflow", 0, r"#DF .* on CPU 0 at \S+ overflow_stack",
          r"stack overflow: CPU 0's main stack of \d+ bytes, guard page hit at 0x")


def test_fault_overflow_other_cpu():  # REQ-STK-1
    fault("overflow", 1, r"#DF .* on CPU 1 at \S+ overflow_stack",
          r"stack overflow: CPU 1's main stack of \d+ bytes, guard page hit at 0x")


def test_fault_msr():
    fault("msr", 1, r"#GP .* on CPU 1 at \S+ hw_rdmsr")


def test_fault_check():
    fault("check", 0, r"CHECK failed on CPU 0: .* at \S+main.c:\d+")
