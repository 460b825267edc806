"""Programs made with the SDK, under Nacre, in both widths (REQ-PAL-12)."""
import os
import re
import sys
import tempfile

import initramfs
from harness import ROOT, boot, check, payload

sys.path.append(os.path.join(ROOT, "tests/sdk"))
import toolkit  # noqa: E402

# A budget is real time, and Bochs' machine is a slow one: 15 million instructions a second.
OPTIONS = "pal-budget=10000"
SECONDS = 1500
WORK = """
do_programs() {
    keep_pages
    for program in /kept/run-*; do
        sh $program > /tmp/said 2>&1 || {
            say "programs failed: $program status=$?"
            dmesg | tail -n 3 >> /tmp/said
        }
        sed "s|^|NACRE-GUEST: said ${program#/kept/run-} |" /tmp/said
        sleep 1 # until the console has shown it: Nacre's own lines are put in between
    done
    say "programs ok"
}
do_shell() { do_programs; }
"""


def initrd(name, arch, files, commands):
    """The usual initramfs with more: files (by path), and what the work 'shell' runs instead."""
    with open(os.path.join(ROOT, "guests/linux/work"), encoding="ascii") as file:
        work = file.read() + WORK
    files = dict(files, **{"bin/work": work.encode()})
    files.update({"kept/run-" + what: line.encode() for what, line in commands.items()})
    return initramfs.extended(arch, os.path.join(initramfs.GUESTS, arch, name + ".initrd"), files)


def said(serial, what):
    """What one command printed."""
    return "\n".join(re.findall(r"^NACRE-GUEST: said %s (.*)$" % what, serial, re.MULTILINE))


def all_services(name, arch, widths):
    """tests/sdk/all.c: each service from a PAL; who has the NV memory is the first width's PAL."""
    with tempfile.TemporaryDirectory() as folder:
        programs, files = {}, {}
        for width in widths:
            path = toolkit.program(folder, width, os.path.join(toolkit.HERE, "all.pal.c"),
                                   os.path.join(toolkit.HERE, "all.c"), "-static", "-s",
                                   name="all%d" % width)
            programs[width] = toolkit.measure(path)
            with open(path, "rb") as file:
                files["kept/all%d" % width] = file.read()
    owner = programs[widths[0]][0].hex()
    commands = {"all%d" % width: "/kept/all%d%s\n" % (width, "" if width == widths[0] else " x")
                for width in widths}
    source = payload(architecture=arch, work="shell", options=OPTIONS + " nv-owner=" + owner,
                     initrd=initrd(name, arch, files, commands))
    serial = boot(name, arch=arch, source=source, work="programs", seconds=SECONDS)
    for width in widths:
        words = said(serial, "all%d" % width)
        check("measurement=" + programs[width][0].hex() in words,
              "width %d: not the measurement of the file: %s" % (width, words))
        check("simulated=0" in words and "failed" not in words, words)


def test_sdk_amd64():
    all_services("sdk-amd64", "amd64", [64, 32])


def test_sdk_i386():
    all_services("sdk-i386", "i386", [32])
