#!/usr/bin/python3
"""Makes a bootable ISO image for BIOS machines: GRUB, Nacre's image, a kernel and its initramfs.

The image boots as a CD (El Torito) and, copied to a disk or stick as it is, as a hard disk.

    tools/make_iso.py OUTPUT [OPTION ...]; --help lists the options. Without any it boots Debian's
    kernel under Nacre into a shell.
"""
import os
import tempfile

import guest
import media
from common import main, private_name, run

# A fixed date makes the image reproducible; it is no statement about when it was built.
DATE = "2000010100000000"


def make(output, payload):
    """Writes the ISO image that boots the payload; returns its path."""
    files = payload.files()
    output = os.path.abspath(output)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nacre-iso-") as folder:
        config, boot, hybrid = (os.path.join(folder, name)
                                for name in ("grub.cfg", "eltorito.img", "hybrid.img"))
        with open(config, "w") as file:
            file.write(payload.grub_cfg())
        with open(boot, "wb") as file:
            file.write(media.grub_file("cdboot.img"))
            file.write(media.core_image(payload.grub_modules() + ["iso9660", "part_msdos"],
                                        "/boot/grub"))
        with open(hybrid, "wb") as file:
            file.write(media.grub_file("boot_hybrid.img"))
        files += [("boot/grub/grub.cfg", config), ("boot/grub/eltorito.img", boot)]
        temporary = private_name(output)
        run(["xorriso", "-as", "mkisofs", "-quiet", "-graft-points", "-V", "NACRE",
             "--modification-date=" + DATE, "--set_all_file_dates", DATE,
             "-uid", "0", "-gid", "0", "-file-mode", "0644", "-dir-mode", "0755",
             "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4",
             "-boot-info-table", "--grub2-boot-info", "--grub2-mbr", hybrid,
             "-o", temporary] + ["%s=%s" % pair for pair in sorted(files)],
            env=dict(os.environ, SOURCE_DATE_EPOCH="946684800"))
        os.replace(temporary, output)
    return output


if __name__ == "__main__":
    main(lambda arguments: guest.make_medium(arguments, "Make a bootable ISO image.", make))
