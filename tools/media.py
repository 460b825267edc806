"""What boot media hold: a kernel with or without Nacre below it, and GRUB to start them.

Shared by make_iso.py and make_disk.py. A medium is described by a Payload; its GRUB is one core
image with every module built in, so the same input gives the same bytes on every machine.
"""
import os
import struct
import tempfile

from common import Failure, readable, run

GRUB = "/usr/lib/grub/i386-pc"
MULTIBOOT2_MAGIC = struct.pack("<I", 0xE85250D6)
MULTIBOOT2_SEARCH_BYTES = 32768         # Multiboot2 specification, 3.1.1: the header's place
MODULES = ["biosdisk", "normal", "linux", "multiboot2", "boot"]
COMMAND_MODULES = {"write_byte": "memrw"}


class Payload:
    """What one medium boots. Without an image the kernel is started bare, by GRUB itself."""

    def __init__(self, image=None, options="", kernel=None, cmdline="", initrd=None, modules=(),
                 before=()):
        self.image, self.options = image, options
        self.kernel, self.cmdline, self.initrd = kernel, cmdline, initrd
        self.modules = list(modules)    # further (file, string) pairs, handed over as they are
        self.before = list(before)      # GRUB commands to run first, each of a module of its name
        if image is None and kernel is None:
            raise Failure("nothing to boot: neither an image nor a kernel is given", 2)

    def files(self):
        """The medium's files as (name on the medium, path here), each checked to be there."""
        wanted = [("boot/nacre.elf", self.image, "image"), ("boot/vmlinuz", self.kernel, "kernel"),
                  ("boot/initrd", self.initrd, "initrd")]
        wanted += [("boot/module%d" % number, path, "module")
                   for number, (path, _) in enumerate(self.modules)]
        found = [(name, readable(path, what)) for name, path, what in wanted if path is not None]
        if self.image is not None:
            check_image(self.image)
        return found

    def commands(self):
        """The GRUB commands that load it all."""
        return self.before + self._load()

    def grub_modules(self):
        """The GRUB modules that the commands need; a module may hold several commands."""
        return MODULES + sorted({COMMAND_MODULES[line.split()[0]] for line in self.before})

    def _load(self):
        if self.image is None:
            lines = ["linux /boot/vmlinuz " + self.cmdline]
            lines += ["initrd /boot/initrd"] if self.initrd else []
            return lines
        lines = ["multiboot2 /boot/nacre.elf " + self.options]
        if self.kernel is not None:
            lines.append("module2 --nounzip /boot/vmlinuz kernel " + self.cmdline)
        if self.initrd is not None:
            lines.append("module2 --nounzip /boot/initrd initrd")
        lines += ["module2 --nounzip /boot/module%d %s" % (number, string)
                  for number, (_, string) in enumerate(self.modules)]
        return lines

    def grub_cfg(self):
        """The medium's grub.cfg: no menu, no delay."""
        return "\n".join([line.rstrip() for line in self.commands()] + ["boot", ""])


def check_image(path):
    """Nacre's image must be an ELF file with a Multiboot 2 header where GRUB looks for it."""
    with open(path, "rb") as file:
        head = file.read(MULTIBOOT2_SEARCH_BYTES)
    if not head.startswith(b"\x7fELF") or MULTIBOOT2_MAGIC not in head:
        raise Failure("image '%s' is not an ELF file with a Multiboot 2 header" % path)


def grub_file(name):
    """The content of one of GRUB's own files for BIOS machines."""
    path = os.path.join(GRUB, name)
    if not os.path.isfile(path):
        raise Failure("GRUB for BIOS machines is not installed (%s): run ./nacre setup" % path)
    with open(path, "rb") as file:
        return file.read()


def core_image(modules, prefix):
    """GRUB's core image with the modules in it. prefix: where it looks for grub.cfg."""
    grub_file("kernel.img")
    with tempfile.TemporaryDirectory(prefix="nacre-grub-") as folder:
        output = os.path.join(folder, "core.img")
        run(["grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-p", prefix, "-o", output]
            + modules)
        with open(output, "rb") as file:
            return file.read()


