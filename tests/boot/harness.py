"""What the boot tests share: images, a booted guest, a refusal, and the checks on both."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import guest  # noqa: E402
from bochs import Bochs  # noqa: E402
from common import image_path, readable  # noqa: E402
from media import Payload  # noqa: E402

BOOT_SECONDS = 450
BANNER = r"^nacre: Nacre \S+, (\d+) CPUs, (\d+) MiB at 0x([0-9a-f]+) for the hypervisor$"
UP = (r"^NACRE-GUEST: up arch=(?P<arch>\S+) cpus=(?P<cpus>\d+) online=(?P<online>\S+) "
      r"mem_kb=(?P<mem_kb>\d+) tsc=(?P<tsc>\d+) hypervisor=(?P<hypervisor>\w+) vmx=(?P<vmx>\w+) "
      r"signature=(?P<signature>\S+)$")
CPUINFO = r"^NACRE-GUEST: cpuinfo hypervisor=(\w+) vmx=(\w+) nx=(\w+)"
E820 = r'^NACRE-GUEST: e820 start=0x([0-9a-f]+) end=0x([0-9a-f]+) type="([^"]+)"$'
# The application that the tests boot where nothing else is said.
APP = os.environ.get("NACRE_TEST_APP", "trustvisor")


def check(condition, text):
    """Like assert, but always there, and with a text that tells what was expected."""
    if not condition:
        raise AssertionError(text)


def image(app=None, libc="picolibc"):
    """The path of an image that run.py has built."""
    return readable(image_path(app or APP, libc), "image")


def payload(**options):
    """guest.payload() with the tests' own image where none is named."""
    options.setdefault("image", image())
    return guest.payload(**options)


def nacre_lines(machine):
    """The console's lines that Nacre wrote."""
    return [line for line in machine.serial.splitlines() if line.startswith("nacre: ")]


def check_banner(machine, cpus):
    """The first line names version, CPUs and the memory taken; returns that as (start, end). Only
    debugging has a line before it."""
    lines = [line for line in nacre_lines(machine) if not line.startswith("nacre: loaded at ")]
    match = re.match(BANNER, lines[0]) if lines else None
    check(match, "no banner: %s" % lines[:1])
    check(int(match.group(1)) == cpus, "banner names %s CPUs, not %d" % (match.group(1), cpus))
    start = int(match.group(3), 16)
    return start, start + (int(match.group(2)) << 20)


def check_guest(machine, cpus, arch):
    """The guest has all CPUs, sees a hypervisor and no VMX, by CPUID and in /proc/cpuinfo."""
    up = re.search(UP, machine.serial, re.MULTILINE)
    check(up, "the guest's first line is not as expected")
    machine_name = {"amd64": "x86_64", "i386": "i686"}[arch]
    check(up["arch"] == machine_name, "guest runs as %s" % up["arch"])
    check(int(up["cpus"]) == cpus, "guest has %s CPUs, not %d" % (up["cpus"], cpus))
    check(up["hypervisor"] == "yes" and up["vmx"] == "no",
          "CPUID in the guest: hypervisor=%s vmx=%s" % (up["hypervisor"], up["vmx"]))
    check(up["signature"].startswith("Nacre"), "hypervisor leaf says %s" % up["signature"])
    seen = re.search(CPUINFO, machine.serial, re.MULTILINE)
    check(seen and seen.groups() == ("yes", "no", "yes"), "cpuinfo: %s" % (seen and seen.group()))


def check_memory(machine, hidden):
    """The guest's memory map leaves out the hypervisor's range, and still has other RAM."""
    entries = [(int(start, 16), int(end, 16) + 1, kind)
               for start, end, kind in re.findall(E820, machine.serial, re.MULTILINE)]
    ram = [(start, end) for start, end, kind in entries if kind == "System RAM"]
    check(len(ram) >= 2, "memory map of the guest has %d RAM ranges" % len(ram))
    for start, end in ram:
        check(end <= hidden[0] or hidden[1] <= start,
              "RAM range 0x%x-0x%x overlaps the hypervisor's 0x%x-0x%x" % (start, end, *hidden))
    check(any(start <= hidden[0] and hidden[1] <= end for start, end, kind in entries
              if kind != "System RAM"), "the hypervisor's range is not reserved in the memory map")


def stack_uses(machine):
    """{(cpu, stack): (used, computed, size)} in bytes, from the lines of the summary."""
    uses = {}
    for cpu, rest in re.findall(r"^nacre: summary: stack cpu=(\d+)((?: \S+=\d+/\d+/\d+)+)$",
                                machine.serial, re.MULTILINE):
        for name, *numbers in re.findall(r" (\S+)=(\d+)/(\d+)/(\d+)", rest):
            uses[int(cpu), name] = tuple(map(int, numbers))
    return uses


def check_stacks(machine, cpus):
    """No stack was used deeper than the build computed, and that fits."""
    uses = stack_uses(machine)
    wanted = {(cpu, name) for cpu in range(cpus) for name in ("main", "NMI", "#DF", "#MC")}
    check(set(uses) == wanted | {(0, "boot")}, "summary of stacks %s" % sorted(uses))
    for (cpu, name), (used, computed, size) in uses.items():
        check(used <= computed <= size, "CPU %d, %s stack: %d bytes used, %d computed, %d there"
              % (cpu, name, used, computed, size))
        check(used > 0 or name not in ("main", "boot"),
              "CPU %d, %s stack: no use seen" % (cpu, name))


def check_closing(machine, cpus):
    """The closing summary came, its parts add up, and nothing was refused or went wrong."""
    total = re.search(r"^nacre: summary: exits total=(\d+)$", machine.serial, re.MULTILINE)
    check(total, "no closing summary")
    by_cpu = re.findall(r"^nacre: summary: cpu \d+ exits=(\d+)$", machine.serial, re.MULTILINE)
    by_reason = re.findall(r"^nacre: summary: exit (\d+) ", machine.serial, re.MULTILINE)
    for what, parts in (("CPUs", by_cpu), ("reasons", by_reason)):
        check(sum(map(int, parts)) == int(total.group(1)),
              "exits by %s do not add up to %s" % (what, total.group(1)))
    check_stacks(machine, cpus)
    check(len(by_cpu) == cpus, "summary of %d CPUs, not %d" % (len(by_cpu), cpus))
    for word in ("PANIC", "cannot start"):
        check(word not in machine.serial, "'%s' on the console" % word)


def boot(name, cpus=1, arch="amd64", work="poweroff", source=None, iso=True, disk=None, hello="",
         seconds=BOOT_SECONDS, **machine_options):
    """Boots a guest, lets it do its work and power off, checks everything; returns the console.

    An item of work may have arguments (NAME:ARGUMENT...): its line starts with NAME. seconds is
    what all of it may take.
    """
    source = source or payload(architecture=arch, work=work) if iso else None
    with Bochs(name, source, disk, cpus=cpus, **machine_options) as machine:
        machine.wait(r"^NACRE-GUEST: up .*$", BOOT_SECONDS)
        machine.wait(r"^NACRE-GUEST: poweroff$", seconds)
        machine.wait_end(60)
        try:
            hidden = check_banner(machine, cpus)
            check_guest(machine, cpus, arch)
            check_memory(machine, hidden)
            check_closing(machine, cpus)
            check(hello in machine.serial, "no line with '%s'" % hello)
            for item in (words.split(":")[0] for words in work.split(",")):
                check(item == "poweroff" or "NACRE-GUEST: %s ok" % item in machine.serial,
                      "the guest's work '%s' failed" % item)
        except AssertionError as wrong:
            raise AssertionError(machine.report(str(wrong)))
        return machine.serial


def refusal(machine, what, before=0):
    """One clear line with the regular expression what, and how to change it; then silence.

    before is how many other lines Nacre may write first (its banner, once it knows the CPUs).
    """
    with machine:
        machine.wait(r"^nacre: cannot start: .*\n", 60)
        machine.settle(2)
        lines = nacre_lines(machine)
        refused = [line for line in lines if line.startswith("nacre: cannot start: ")]
        try:
            check(len(refused) == 1, "%d refusals" % len(refused))
            check(re.search(what, refused[0]), "the line does not name /%s/" % what)
            check(lines.index(refused[0]) == len(lines) - 1, "more lines after the refusal")
            check(len(lines) == before + 1, "%d lines, not %d" % (len(lines), before + 1))
            check(refused[0].count("..") == 0 and refused[0].endswith("."), "punctuation")
            check(machine.process.poll() is None, "the machine did not stay halted")
        except AssertionError as wrong:
            raise AssertionError(machine.report(str(wrong)))


def spoiled(name, data):
    """A file with these bytes, which are no proper kernel, initramfs, image or BIOS."""
    path = os.path.join(os.path.dirname(guest.initramfs.build("amd64")), name)
    guest.initramfs.write_atomically(path, data)
    return path


def nothing_to_boot(options="", before=()):
    """A Payload of Nacre's image alone."""
    return Payload(image(), options, before=before)
