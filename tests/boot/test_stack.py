"""Overflows of each stack, caught at the access by the guard page and reported (docs/stack.md).

tests/boot/apps/overflow commits them while other CPUs run guests; its build has the proof that
forbids them switched off. Afterwards the halted machine's memory is read: what each other CPU's
vCPU was before, it still is.
"""
import os
import re
import struct
import sys
import tempfile

import test_probe
from emulator import Stuck
from harness import APP, BANNER, ROOT, Bochs, Payload, check, check_stacks, image, stack_uses

sys.path.insert(0, os.path.join(ROOT, "tests", "build"))
from tree import Tree  # noqa: E402

CPUS = 4
FLOODER, PARKED = 2, 3
STRICT = ["cpu: ignore_bad_msrs=0"]
SUM = r"^nacre: overflow: vcpu (\d+) at=0x([0-9a-f]+) sum=0x([0-9a-f]+)$"
LAYOUT = r"^nacre: overflow: layout size=(\d+) launched=(\d+) exits=(\d+)\+(\d+)$"


def machine(what, cpu, words="", cpus=CPUS, options="", elf=None, **more):
    source = Payload(elf or image("overflow"), options,
                     modules=[(__file__, ("overflow %s %d %s" % (what, cpu, words)).strip())])
    return Bochs("overflow-%s" % what, source, cpus=cpus, extra=STRICT, **more)


def panic(booted, pattern):
    """The match of a line of the report."""
    match = re.search("^nacre: PANIC: " + pattern, booted.serial, re.MULTILINE)
    check(match, "no line with /%s/ in the report" % pattern)
    return match


def checksum(data, launched, exits):
    """As checksum() in tests/boot/apps/overflow/main.c: FNV-1a of all but two fields."""
    value = 0xcbf29ce484222325
    for at, byte in enumerate(data):
        if at != launched and at not in exits:
            value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def check_vcpus(booted, others):
    """The vCPU structures of these CPUs are what they were before the overflow."""
    size, launched, start, length = map(
        int, re.search(LAYOUT, booted.serial, re.MULTILINE).groups())
    before = {int(cpu): (int(at, 16), int(value, 16))
              for cpu, at, value in re.findall(SUM, booted.serial, re.MULTILINE)}
    for cpu in others:
        at, value = before[cpu]
        data = booted.read_memory(at, size)
        check(checksum(data, launched, range(start, start + length)) == value,
              "CPU %d's vCPU has changed" % cpu)
    spoilt = bytearray(data)
    spoilt[16] ^= 1
    check(checksum(spoilt, launched, range(start, start + length)) != value,
          "the checksum does not see a change")


def check_others(booted, victim, flood):
    """Every other CPU was stopped and is in the report with its stack and its guest."""
    for cpu in range(CPUS):
        if cpu == victim:
            continue
        if cpu == FLOODER and flood:
            panic(booted, r"CPU %d stopped at 0x[0-9a-f]+ \w+\+0x" % cpu)
            guest = "runs, rip=800:2 "
        else:
            panic(booted, "CPU %d stopped while its guest ran$" % cpu)
            guest = "waits for its start-up IPI, rip=f000:fff0 " if cpu == PARKED else \
                "runs, rip=900:0 "
        panic(booted, r"CPU %d main stack: \d+ of \d+ bytes, deepest \d+, computed \d+$" % cpu)
        panic(booted, r"CPU %d guest: %s.* cr3=\w+ .*16-bit, cpl 0, \d+ exits$" % (cpu, guest))


def overflow(what, victim, stack, function, words="", also=(), library="the platform", elf=None):
    """Commits it; the report has everything and the other CPUs' vCPUs are intact."""
    flood = "flood" in words
    with machine(what, victim, words, elf=elf) as booted:
        booted.wait(r"^nacre: PANIC: halted$", 60)
        try:
            panic(booted, r"#DF double fault in the hypervisor on CPU %d at 0x[0-9a-f]+ %s\+0x"
                  % (victim, function))
            size, used = map(int, panic(
                booted, r"stack overflow: CPU %d's %s stack of (\d+) bytes, guard page hit at "
                r"0x[0-9a-f]+, (\d+) bytes wanted$" % (victim, stack)).groups())
            check(size < used <= size + 4096, "%d of %d bytes wanted" % (used, size))
            panic(booted, r"%s is in %s, which has a budget of \d+ bytes of stack$"
                  % (function, library))
            panic(booted, r"stack in use: CPU %d's %s, \d+ of %d bytes, deepest (\d+), computed "
                  % (victim, stack, size))
            panic(booted, r"  #0 0x[0-9a-f]+ %s\+0x" % function)
            for pattern in also:
                panic(booted, pattern)
            panic(booted, "CPU %d guest: runs, rip=800:2 " % victim)
            check_others(booted, victim, flood)
            check("was not caught" not in booted.serial, "the overflow was not caught")
            check(booted.serial.count("in the hypervisor on CPU") == 1, "more reports than one")
            check_vcpus(booted, [cpu for cpu in range(CPUS) if cpu != victim])
        except AssertionError as wrong:
            raise AssertionError(booted.report(str(wrong)))


MARSHALLING = (r"  #1 0x[0-9a-f]+ marshal\+0x[0-9a-f]+, \d+ bytes, \d\d times$",
               r"  #2 0x[0-9a-f]+ app_cpuid\+0x[0-9a-f]+, \d+ bytes$",
               r"  #3 0x[0-9a-f]+ nacre_run\+0x")


def marshalling(victim, words=""):
    """The historical bug: ten pointer parameters are marshalled, deeper than the stack is."""
    overflow("main", victim, "main", "marshal", words, MARSHALLING, "the hypapp")


def test_stack_of_the_32_bit_size():  # REQ-STK-1, REQ-STK-2
    """The bug itself: stacks as the 32-bit ancestor had them. The build refuses that (see also
    tests/build/test_stack_image.py); built all the same, the overflow is caught on both CPUs."""
    copy = Tree()
    header = copy.read("config/stack.h").decode()
    copy.write("config/stack.h", re.sub(r"(define STACK_MAIN_BYTES) \d+", r"\1 4096", header))
    app = "app=" + os.path.join(ROOT, "tests", "boot", "apps", "overflow")
    status, output = copy.scons(app)
    check(status != 0 and "the main stack has 4096 bytes" in output, "not refused:\n" + output)
    status, output = copy.scons(app, "proof=off")
    check(status == 0, "not built with the proof off:\n" + output)
    elf = copy.file("build/picolibc-O2/nacre-overflow.elf")
    for victim, words in ((0, ""), (1, "flood")):
        overflow("main", victim, "main", "marshal", words,
                 (r"  #1 0x[0-9a-f]+ marshal\+0x[0-9a-f]+, \d+ bytes",), "the hypapp", elf)


def test_stack_overflow_boot_cpu():  # REQ-STK-1, REQ-MEM-5
    marshalling(0)


def test_stack_overflow_other_cpu():  # REQ-STK-1, REQ-MEM-5
    marshalling(1)


def test_stack_overflow_boot_cpu_in_nmi_flood():  # REQ-STK-1, REQ-STK-5
    marshalling(0, "flood")


def test_stack_overflow_other_cpu_in_nmi_flood():  # REQ-STK-1, REQ-STK-5
    marshalling(1, "flood")


def test_stack_overflow_in_the_nmi_handler():  # REQ-STK-1, REQ-STK-5
    overflow("nmi", 1, "NMI", "trap_nmi")


def test_stack_fault_when_it_is_full():  # REQ-STK-1
    """A #GP that the full stack cannot take becomes the #DF; its cause is still named."""
    overflow("fault", 1, "main", "hw_rdmsr")


def test_stack_overflow_during_a_vm_exit():  # REQ-STK-1, REQ-STK-5
    """At the first push of the exit, when all registers but RSP are still the guest's."""
    overflow("exit", 0, "main", "hw_vmx_exit", also=[r"rsi=000000005117c0de "])


def test_stack_second_fault_in_the_report():
    """It ends the report with one line, it does not start another one."""
    with machine("report", 1) as booted:
        booted.wait(r"^nacre: PANIC: the report itself failed$", 60)
        booted.settle(2)
        check(booted.serial.count("PANIC: ") == 1 and booted.process.poll() is None,
              booted.report("more than one line, or the machine went on"))


def test_stack_vcpu_tag():  # REQ-STK-6
    """A vCPU whose tag is wrong is reported at the next exit, not used."""
    with machine("tag", 1) as booted:
        booted.wait(r"^nacre: PANIC: halted$", 60)
        try:
            panic(booted, r"CHECK failed on CPU 1: vcpu->tag == \S+ at libvmx/\S+:\d+$")
            panic(booted, "CPU 1 guest: DAMAGED")
            check_others(booted, 1, False)
        except AssertionError as wrong:
            raise AssertionError(booted.report(str(wrong)))


def test_stack_reset_after_overflow():
    """on-panic=reset: the report, then the firmware starts Nacre again."""
    with machine("main", 0, cpus=1, options="on-panic=reset", reset=True) as booted:
        end = booted.wait(r"^nacre: PANIC: resetting the machine$", 60).end()
        panic(booted, "stack overflow: CPU 0's main stack")
        booted.wait(BANNER, 60, end)


def test_stack_nmi_at_every_instruction():  # REQ-STK-5
    """Thousands of kicks land all over VM entry and exit: none is lost, no register changes."""
    with machine("kicks", 1) as booted:
        done = booted.wait(r"^nacre: overflow: (kicks=\d+ rounds=(\d+)|kick .*|round .*)\n", 60)
        check(done.group(2) and int(done.group(2)) > 1000,
              booted.report("wrong: " + done.group(1)))
        check("PANIC" not in booted.serial, booted.report("a panic"))


def test_stack_measured_in_probe():
    """The hostile guest on 4 CPUs: no stack was deeper than the build computed."""
    with test_probe.machine("stack-probe", "", CPUS) as booted:
        booted.wait(test_probe.RESULT, test_probe.SECONDS)
        booted.wait_end(60)
        check_stacks(booted, CPUS)
        uses = stack_uses(booted)
        check(all(uses[cpu, "main"][0] > 0 and uses[cpu, "NMI"][0] > 0 for cpu in range(CPUS)),
              booted.report("a stack that was used shows no use"))
        # What ./nacre stack shows beside the computed bounds.
        path = os.path.join(ROOT, "build", "picolibc-O2", "stack-%s.console" % APP)
        with open(path, "w") as file:
            file.write("".join(line + "\n" for line in booted.serial.splitlines()
                               if line.startswith("nacre: summary: stack ")))


DISK_BYTES = 20 * 16 * 63 * 512

# mov eax, STACKS_VMCALL; vmcall; then the letters by which Bochs ends, and if not, a loop
VMCALL = b"\x66\xb8" + struct.pack("<I", 0x4b535453) + b"\x0f\x01\xc1\xba\x00\x89" + \
    b"".join(b"\xb0%c\xee" % letter for letter in b"Shutdown") + b"\xeb\xfe"


def asked_by_the_guest(log):
    """Starts a boot sector that asks for the stacks; the answer's uses and the machine's end."""
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(VMCALL.ljust(510, b"\0") + b"\x55\xaa" + bytes(DISK_BYTES - 512))
        disk.flush()
        source = Payload(image(), "boot=chain drive=0x80 log=" + log)
        with Bochs("stack-vmcall", source, disk.name) as booted:
            try:
                booted.wait(r"^nacre: summary: stack cpu=0 ", 30)
                booted.wait_end(30)
            except Stuck:
                check(log == "info", booted.report("no answer"))
            return stack_uses(booted)


def test_stack_debug_hypercall():
    """Ring 0 may ask with log=debug; it is told and runs on."""
    uses = asked_by_the_guest("debug")
    check(uses[0, "main"][0] > 0 and (0, "boot") in uses, "answer: %s" % uses)
