"""Ways to start and to leave: chain mode, reboot, no serial port."""
import re
import struct

from harness import (BANNER, BOOT_SECONDS, Bochs, Payload, boot, check, check_closing, guest, image,
                     nothing_to_boot, payload, spoiled)


def relocation(lowest):
    """The image's Multiboot 2 tag "relocatable": the loader's bounds, alignment, preference low."""
    return struct.pack("<HHIIIII", 10, 0, 24, lowest, 0xFFFFFFFF, 0x200000, 1)


def test_load_addresses():
    """REQ-BOOT-6: wherever the loader puts the image, it goes on at the top of RAM."""
    original = guest.initramfs.contents(image())
    check(original.count(relocation(0x100000)) == 1, "the relocation tag is not as expected")
    for lowest in (0x1000000, 0x6400000):
        path = spoiled("nacre-at-%x.elf" % lowest,
                       original.replace(relocation(0x100000), relocation(lowest)))
        with Bochs("moved", Payload(path, "boot=chain drive=0x81 log=debug")) as machine:
            place = machine.wait(r"^nacre: loaded at 0x%x, copied to 0x(\w+)\n" % lowest, 60)
            size = machine.wait(r"^nacre: Nacre \S+, 1 CPUs, (\d+) MiB at ", 60)
            # 256 MiB, of which Bochs's BIOS keeps a little at the end.
            check(int(place.group(1), 16) + (int(size.group(1)) << 20) == 0xfe00000,
                  "the region is not at the top of RAM")
            machine.wait(r"^nacre: chain: cannot read drive 0x81", 60)


def test_chain_from_disk():
    """REQ-BOOT-2: GRUB on a disk, started by Nacre from the CD, boots Debian by BIOS calls."""
    boot("chain", source=nothing_to_boot("boot=chain drive=0x80"), disk=guest.payload(bare=True))


def test_chain_from_disk_2cpu():
    boot("chain-2", cpus=2, source=nothing_to_boot("boot=chain drive=0x80"),
         disk=guest.payload(bare=True))


def test_chain_without_a_disk():
    """The BIOS cannot read the drive: one line that names it, no hang without a word."""
    with Bochs("no-disk", nothing_to_boot("boot=chain drive=0x81")) as machine:
        line = machine.wait(r"^nacre: chain: .*\n", 60).group()
        check("0x81" in line and "drive=" in line, machine.report("the line is not clear"))


def test_disk_boot():
    """Nacre, kernel and initramfs on a hard disk with GRUB in its master boot record."""
    boot("disk", disk=payload(), iso=False)


def test_reboot():
    """REQ-BOOT-9: the guest resets the machine and the firmware starts Nacre again.

    By port 0xCF9 and with one CPU: Bochs 2.7 hangs, without Nacre too, after a reset by keyboard
    controller or triple fault, and its BIOS after any reset of a machine with more CPUs.
    """
    medium = payload(work="reboot", extra="reboot=pci")
    with Bochs("reboot", medium, reset=True) as machine:
        machine.wait(r"^NACRE-GUEST: reboot$", BOOT_SECONDS)
        end = len(machine.serial)
        machine.wait(BANNER, 60, end)
        machine.wait(r"^NACRE-GUEST: up .* cpus=1 ", BOOT_SECONDS, end)
        check("PANIC" not in machine.serial, machine.report("panic on the way"))


def test_no_serial_port():
    """REQ-BOOT-10: without a UART the boot goes on; the debug port has the console."""
    with Bochs("no-uart", payload(options="console=serial,e9"), serial=False) as machine:
        machine.wait_end(BOOT_SECONDS)
        check(re.search(BANNER, machine.serial, re.MULTILINE), machine.report("no banner"))
        check_closing(machine, 1)


def test_console_none():
    """console=none silences Nacre, not the guest."""
    with Bochs("silent", payload(options="console=none")) as machine:
        machine.wait(r"^NACRE-GUEST: up .*$", BOOT_SECONDS)
        machine.wait_end(60)
        check("nacre: " not in machine.serial, machine.report("Nacre wrote to the console"))
