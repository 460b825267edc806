#!/usr/bin/python3
"""Makes a raw hard-disk image: GRUB in the master boot record, one partition with the files.

Needs no privileges and no loop mounts. The partition holds a cpio archive, which GRUB reads as a
file system and which comes out the same, byte for byte, on every machine.

    tools/make_disk.py OUTPUT [OPTION ...]; --help lists the options.
"""
import os
import stat
import struct

import guest
import media
from common import Failure, main, write_atomically
from initramfs import contents, cpio_archive

SECTOR_BYTES = 512
PARTITION_START_SECTOR = 2048           # the usual 1 MiB; GRUB's core image lies before it
CYLINDER_SECTORS = 16 * 63              # the geometry that emulators are told
PARTITION_TYPE_LINUX = 0x83
BOOT_IMG_CODE_BYTES = 440               # up to the disk signature, which precedes the table
DISK_SIGNATURE = 0x6E616372


def partition_entry(start_sector, sectors):
    """A partition table entry that is marked active; CHS fields say "use the sector numbers"."""
    return struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", PARTITION_TYPE_LINUX, b"\xfe\xff\xff",
                       start_sector, sectors)


def file_system(payload):
    """The partition's content: the payload's files and grub.cfg in one archive."""
    members = [(name, stat.S_IFDIR | 0o755) for name in ("boot", "boot/grub")]
    members.append(("boot/grub/grub.cfg", stat.S_IFREG | 0o644, payload.grub_cfg().encode()))
    members += [(name, stat.S_IFREG | 0o644, contents(path)) for name, path in payload.files()]
    return cpio_archive(members)


def make(output, payload):
    """Writes the disk image that boots the payload; returns its path."""
    core = media.core_image(payload.grub_modules() + ["newc", "part_msdos"],
                            "(hd0,msdos1)/boot/grub")
    if len(core) > (PARTITION_START_SECTOR - 1) * SECTOR_BYTES:
        raise Failure("GRUB's core image does not fit before the first partition")
    data = file_system(payload)
    sectors = PARTITION_START_SECTOR + -(-len(data) // SECTOR_BYTES)
    sectors += -sectors % CYLINDER_SECTORS
    record = bytearray(media.grub_file("boot.img")[:BOOT_IMG_CODE_BYTES])
    record += struct.pack("<IH", DISK_SIGNATURE, 0)
    record += partition_entry(PARTITION_START_SECTOR, sectors - PARTITION_START_SECTOR)
    record += bytes(SECTOR_BYTES - 2 - len(record)) + b"\x55\xaa"
    image = bytes(record) + core
    image += bytes(PARTITION_START_SECTOR * SECTOR_BYTES - len(image)) + data
    image += bytes(sectors * SECTOR_BYTES - len(image))
    write_atomically(os.path.abspath(output), image)
    return output


if __name__ == "__main__":
    main(lambda arguments: guest.make_medium(arguments, "Make a bootable raw disk image.", make))
