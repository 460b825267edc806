"""The guests that demo, benchmarks and tests boot: Debian's kernels with our initramfs."""
import os

import initramfs
import kernels
from common import Parser, image_path, readable
from media import Payload

ARCHITECTURES = sorted(kernels.KERNELS)

# What makes Debian boot in fewer instructions on an emulator. idle=nomwait most of all: Bochs
# loses wake-ups of MWAIT, so that with four CPUs every grace period of RCU takes seconds.
CMDLINE = ("console=ttyS0,115200 nokaslr mitigations=off tsc=reliable cryptomgr.notests "
           "idle=nomwait quiet")


def cmdline(work="poweroff", extra=""):
    """The guest kernel's command line; work is what guests/linux/work shall do."""
    return " ".join(("%s nacre.do=%s %s" % (CMDLINE, work, extra)).split())


def payload(architecture="amd64", work="poweroff", extra="", bare=False, options="", image=None,
            kernel=None, initrd=None):
    """What boots a guest. bare: GRUB starts the same kernel without Nacre."""
    if kernel is None:
        kernel, _ = kernels.ensure(architecture)
    if initrd is None:
        initrd = initramfs.build(architecture)
    if bare:
        image = None
    else:
        image = readable(image or image_path(), "image")
    return Payload(image, options, kernel, cmdline(work, extra), initrd)


def add_arguments(parser):
    """The command-line options of the tools that make boot media."""
    parser.add_argument("output")
    parser.add_argument("--image", default=image_path(), help="Nacre's image (%(default)s)")
    parser.add_argument("--options", default="", help="words for Nacre's own command line")
    parser.add_argument("--bare", action="store_true", help="start the kernel without Nacre")
    parser.add_argument("--chain", action="store_true",
                        help="no kernel: start what the machine's own disk boots")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="amd64", help="(%(default)s)")
    parser.add_argument("--kernel", help="the guest's kernel (Debian's)")
    parser.add_argument("--initrd", help="the guest's initramfs (busybox and tests)")
    parser.add_argument("--cmdline", help="the guest kernel's command line, instead of ours")


def from_arguments(options):
    """The Payload that add_arguments' options describe."""
    if options.chain:
        words = [options.options, "boot=chain"]
        if "drive=" not in options.options:
            words.append("drive=0x80")
        return Payload(options.image, " ".join(words).strip())
    result = payload(options.arch, "shell", "", options.bare, options.options, options.image,
                     options.kernel, options.initrd)
    if options.cmdline is not None:
        result.cmdline = options.cmdline
    return result


def make_medium(arguments, description, make):
    """The command of the programs that make media: make(output, payload) returns the path."""
    parser = Parser(description=description)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    path = make(options.output, from_arguments(options))
    print("%s %d bytes" % (os.path.relpath(path), os.path.getsize(path)))
    return 0
