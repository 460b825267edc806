"""tools/gdb/nacre.py against QEMU's stub, and what needs a debugger to provoke.

QEMU's software CPU has no VMX: the hypapp of tests/boot/apps/overflow starts all CPUs without it.
"""
import os
import re
import socket
import subprocess

from harness import ROOT, Payload, check, image
from qemu import Qemu

CPUS = 4
SCRIPT = os.path.join(ROOT, "tools", "gdb", "nacre.py")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def gdb(elf, port, *commands):
    """What GDB printed for these commands."""
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-x", SCRIPT,
             "-ex", "nacre symbols " + elf, "-ex", "target remote 127.0.0.1:%d" % port]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
    return done.stdout


def has(output, *patterns):
    for pattern in patterns:
        check(re.search("^" + pattern, output, re.MULTILINE),
              "no line with /%s/ in GDB's output:\n%s" % (pattern, output))


def test_gdb_commands():
    port = free_port()
    source = Payload(image("overflow"), modules=[(__file__, "overflow gdb 0")])
    with Qemu("gdb", source, cpus=CPUS, extra=["-gdb", "tcp:127.0.0.1:%d" % port]) as machine:
        machine.wait(r"^nacre: overflow: waits for gdb$", 60)
        output = gdb(image("overflow"), port, "nacre cpus", "nacre vmcs", "nacre stack",
                     "nacre vmcs 1", "nacre nonsense")
    for cpu in range(CPUS):
        has(output, r"CPU %d: 0x[0-9a-f]+ (wait_for_gdb|hw_pause)\+0x[0-9a-f]+, main stack \d+ of "
            r"\d+ bytes; guest: %s$" % (cpu, "parked" if cpu else "stopped in an exit"),
            r"vCPU %d: tag %s, vmcs=0x0, " % (cpu, "WRONG" if cpu == 3 else "good"),
            r"  controls: pin=0x%x " % (0x16 + cpu),
            r"  pending event: 0x0; exits by basic reason: 10:%d$" % (100 + cpu))
        for name in ("main", "NMI", "#DF", "#MC") + (("boot",) if cpu == 0 else ()):
            has(output, r"CPU %d %s: now=\d+ deepest=\d+ computed=\d+ size=\d+ at 0xf"
                % (cpu, name))
        now, deepest, _, size = map(int, re.search(
            r"^CPU %d main: now=(\d+) deepest=(\d+) computed=(\d+) size=(\d+)" % cpu, output,
            re.MULTILINE).groups())
        check(0 < now <= deepest < size, "CPU %d: main stack %d now, deepest %d, size %d"
              % (cpu, now, deepest, size))
        has(output, "CPU %d #DF: now=0 deepest=0 " % cpu)
    check(output.count("vCPU 1: ") == 2, "nacre vmcs 1 shows not just that")
    has(output, r".*nacre symbols \[ELF\] \| cpus")


def test_gdb_outside_the_hypervisor():
    """Before the image runs nothing of it can be read, and that is said."""
    port = free_port()
    with Qemu("gdb-early", Payload(image()), cpus=1,
              extra=["-S", "-gdb", "tcp:127.0.0.1:%d" % port]):
        has(gdb(image(), port, "nacre cpus"), ".*no CPU executes the hypervisor now")


def test_stack_overflow_boot_stack():  # REQ-STK-1
    """The stack of the first instructions has a guard page too: RSP is moved down to it."""
    port = free_port()
    with Qemu("gdb-boot", Payload(image()), cpus=1,
              extra=["-S", "-gdb", "tcp:127.0.0.1:%d" % port]) as machine:
        output = gdb(image(), port, "hbreak mb2_parse", "continue",
                     "set $rsp = (unsigned long)&boot_stack + 40", "detach")
        machine.wait(r"^nacre: PANIC: halted$", 60)
        for pattern in (r"#DF double fault in the hypervisor on CPU 0 at 0x[0-9a-f]+ \w+\+0x",
                        r"stack overflow: CPU 0's boot stack of \d+ bytes, guard page hit at 0x",
                        r"stack in use: CPU 0's boot, "):
            check(re.search("^nacre: PANIC: " + pattern, machine.serial, re.MULTILINE),
                  machine.report("no line with /%s/\n%s" % (pattern, output)))
