"""Runs Bochs headless: deterministic settings, live serial console, CPU states when stuck.

    with Bochs("name", iso=path, cpus=2) as machine:
        machine.wait(r"^NACRE-GUEST: up", timeout=60)
        machine.wait_end(timeout=20)

One tick is one instruction of CPU 0 and the guest's TSC counts ticks. NACRE_BOCHS names another
Bochs than the one in PATH.
"""
import os
import re
import shutil
import signal
import time

from common import BUILD, Failure, private_name, readable, run
from emulator import Machine

BIOS = "/usr/share/bochs/BIOS-bochs-latest"
VGA_BIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"
MODEL = "corei7_haswell_4770"
CLEAN_ENDS = ("ACPI control: soft power off", "Shutdown port")
PROMPT = re.compile(r"<bochs:\d+>")

CONFIG = """\
config_interface: textconfig
cpu: model={model}, count={cpus}:1:1, ips=15000000, quantum=16, reset_on_triple_fault={reset}
megs: {memory_mb}
romimage: file={bios}
vgaromimage: file={vga_bios}
{drives}
boot: {boot}
clock: sync=none, time0=946684800
vga: extension=vbe, realtime=0
display_library: rfb, options="timeout=0"
private_colormap: enabled=0
com1: {com1}
port_e9_hack: enabled=1
log: log.txt
logprefix: %t%e%d
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


def preload():
    """The object of bochs_preload.c; it is made if it is missing or older than its source."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bochs_preload.c")
    target = os.path.join(BUILD, "guests", "bochs-preload.so")
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = private_name(target)
        run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", temporary,
             source])
        os.replace(temporary, target)
    return target


class Bochs(Machine):
    """A machine of Bochs. iso and disk are paths or Payloads of which media are made.

    The ISO starts if there is one; the disk is then the machine's first hard disk.
    serial=False leaves the machine without a serial port: what it writes to port 0xE9 is then its
    console. reset=True makes a triple fault reset the machine, as real ones do, instead of ending
    the run.
    """

    def __init__(self, name, iso=None, disk=None, cpus=1, memory_mb=256, model=MODEL, bios=BIOS,
                 reset=False, serial=True, on_serial=None, extra=()):
        readable(bios, "BIOS image")
        super().__init__(name, on_serial)
        self.cpus, self.model = cpus, model
        drives = []
        if disk is not None:
            # A copy: Bochs locks and writes the file, and other machines may use it too.
            made = self.disk_path(disk)
            if made != self.path("disk.img"):
                shutil.copyfile(made, self.path("disk.img"))
            drives.append("ata0-master: type=disk, path=disk.img, mode=flat, translation=auto")
        if iso is not None:
            drives.append("ata1-master: type=cdrom, path=%s, status=inserted"
                          % self.iso_path(iso))
        if not drives:
            raise Failure("%s: neither an ISO nor a disk to boot" % name)
        self.has_console = serial
        com1 = "enabled=1, mode=socket-client, dev=localhost:%d" % self.port if serial else \
            "enabled=0"
        config = CONFIG.format(
            model=model, cpus=cpus, memory_mb=memory_mb, bios=bios, vga_bios=VGA_BIOS,
            drives="\n".join(drives), boot="cdrom" if iso else "disk",
            reset=int(reset), com1=com1)
        with open(self.path("bochsrc"), "w") as file:
            file.write(config + "".join(line + "\n" for line in extra))
        with open(self.path("go.rc"), "w") as file:
            file.write("c\n")

    def command(self):
        return [os.environ.get("NACRE_BOCHS", "bochs"), "-q", "-f", "bochsrc", "-rc", "go.rc"]

    def environment(self):
        return dict(os.environ, LD_PRELOAD=preload())

    def log_lines(self):
        try:
            with open(self.path("log.txt"), errors="replace") as file:
                return [line.rstrip() for line in file]
        except FileNotFoundError:
            return []

    def clean_end(self):
        return any(end in line for line in self.log_lines() for end in CLEAN_ENDS)

    def ticks(self):
        """The tick of the last line in Bochs's log: the run's length once it has ended."""
        for line in reversed(self.log_lines()):
            if re.match(r"\d{11}", line):
                return int(re.match(r"\d+", line).group())
        return 0

    def last_messages(self):
        lines = [line for line in self.log_lines() if "RDMSR: Unknown" not in line]
        return lines[-12:] + self.emulator_output()[-2:]

    def _debugger(self, text, timeout):
        """Types debugger commands and returns what came back by the time it had done them."""
        before = len(self.emulator_output())
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            lines = self.emulator_output()[before:]
            if any("ptime:" in line for line in lines):
                return lines
            self.pump(0.1)
        return self.emulator_output()[before:]

    def read_memory(self, address, count, cpu=0):
        """Stops the machine in its debugger; bytes at a virtual address as that CPU sees it now."""
        self.process.send_signal(signal.SIGINT)
        self._debugger('set $cpu=%d\nwritemem "memory.bin" 0x%x %d\nptime\n'
                       % (cpu, address, count), 15)
        with open(self.path("memory.bin"), "rb") as file:
            return file.read()

    def cpu_states(self):
        """Stops the machine in its debugger and asks for registers and a trace of every CPU."""
        if self.process is None or self.process.poll() is not None:
            return ""
        self.process.send_signal(signal.SIGINT)
        asked = "".join("set $cpu=%d\nr\ncreg\nsreg\nbt 12\n" % cpu for cpu in range(self.cpus))
        try:
            lines = self._debugger(asked + "ptime\n", 15)
        except OSError:
            return ""
        return "\n".join(condense(lines))


def condense(lines):
    """Shortens the debugger's answers: four registers a line, and only what helps."""
    out, registers = [], []
    for line in lines:
        line = PROMPT.sub("", line).strip()
        register = re.match(r"(r\w+|e\w+)\s*: ([0-9a-f]{8}_[0-9a-f]{8})$", line)
        if register:
            registers.append("%s=%s" % register.groups())
        elif registers:
            out += ["  " + " ".join(registers[at:at + 4]) for at in range(0, len(registers), 4)]
            registers = []
        if re.match(r"(CPU\d+:|eflags|CR\d=|EFER|[cs]s:|gdtr|idtr|ptime|[0-9a-f]+ ->)", line):
            out.append(line if line.startswith("CPU") else "  " + line)
    return out
