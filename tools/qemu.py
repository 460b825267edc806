"""Runs QEMU's software CPU (no KVM): it has no VMX, so Nacre must refuse it with one clear line."""
from common import Failure
from emulator import Machine


class Qemu(Machine):
    """A PC of QEMU with its serial console on our socket. iso or disk is the medium."""

    def __init__(self, name, iso=None, disk=None, cpus=1, memory_mb=256, model="qemu64",
                 on_serial=None, extra=()):
        super().__init__(name, on_serial)
        if iso is not None:
            drive = ["-cdrom", self.iso_path(iso), "-boot", "d"]
        elif disk is not None:
            drive = ["-drive", "file=%s,format=raw,snapshot=on" % self.disk_path(disk)]
        else:
            raise Failure("%s: neither an ISO nor a disk to boot" % name)
        self._command = [
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", model, "-smp", str(cpus),
            "-m", str(memory_mb), "-display", "none", "-no-reboot", "-net", "none",
            "-serial", "tcp:127.0.0.1:%d" % self.port, "-monitor", "stdio"] + drive + list(extra)

    def command(self):
        return self._command

    def cpu_states(self):
        if self.process is None or self.process.poll() is not None:
            return ""
        before = len(self.emulator_output())
        try:
            self.process.stdin.write(b"info registers -a\n")
            self.process.stdin.flush()
        except OSError:
            return ""
        self.settle(1)
        return "\n".join(line for line in self.emulator_output()[before:] if "(qemu)" not in line)
