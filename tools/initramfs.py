#!/usr/bin/python3
"""Builds a guest's initramfs: busybox, and the scripts and programs of guests/linux.

The archive (cpio, new ASCII format) is written here, byte for byte the same on every machine: no
times, no owners, sorted names. It stays uncompressed, which boots in fewer instructions.

    tools/initramfs.py amd64|i386 [OUTPUT]
"""
import glob
import os
import stat

import kernels
from common import GUESTS, ROOT, Failure, main, private_name, run, write_atomically

RECIPE = os.path.join(ROOT, "guests", "linux")
SHARED = os.path.join(RECIPE, "freestanding.h")
MACHINE_FLAG = {"amd64": "-m64", "i386": "-m32"}
COMPILER_FLAGS = ["-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static",
                  "-fno-pic", "-no-pie", "-fno-stack-protector", "-fcf-protection=none",
                  "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none", "-s"]
# PALs may not use vector registers, and their functions work wherever they are copied to: no table
# of a switch, no call of memset() for a loop.
PAL_FLAGS = ["-mgeneral-regs-only", "-fno-jump-tables", "-fno-tree-loop-distribute-patterns",
             "-fno-ipa-icf"]


def cpio_entry(number, name, mode, data=b"", device=(0, 0)):
    """One member of a cpio archive of the new ASCII format ("070701")."""
    encoded = name.encode() + b"\0"
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def cpio_archive(members):
    """members: (name, mode, data, device) each; directories must come before their contents."""
    parts = [cpio_entry(number, *member) for number, member in enumerate(members, 1)]
    return b"".join(parts) + cpio_entry(0, "TRAILER!!!", 0)


def compile_program(architecture, name, sources, include=(), flags=()):
    """A static program without a C library, compiled if one of the sources (paths) is newer."""
    target = os.path.join(GUESTS, architecture, name)
    if not os.path.exists(target) or \
            any(os.path.getmtime(target) < os.path.getmtime(source) for source in sources):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = private_name(target)
        run(["gcc", MACHINE_FLAG[architecture]] + COMPILER_FLAGS + list(flags)
            + ["-I" + folder for folder in include] + ["-o", temporary]
            + [source for source in sources if source.endswith((".c", ".S"))])
        os.replace(temporary, target)
    return target


def compile_facts(architecture):
    return compile_program(architecture, "facts", [os.path.join(RECIPE, "facts.c"), SHARED])


def compile_client(architecture, name, sources, flags=()):
    """A program of guests/linux that uses the SDK."""
    sdk, libtv = os.path.join(ROOT, "sdk"), os.path.join(ROOT, "libtv")
    shared = [SHARED, os.path.join(sdk, "program", "nacre.c"), os.path.join(libtv, "abi.c"),
              os.path.join(sdk, "include/nacre/nacre.h"), os.path.join(libtv, "include/tv/abi.h")]
    return compile_program(architecture, name, sources + shared,
                           [os.path.join(sdk, "include"), os.path.join(libtv, "include")], flags)


def compile_hypercalls(architecture):
    return compile_client(architecture, "hypercalls", [os.path.join(RECIPE, "hypercalls.c")])


def compile_pal(architecture):
    """guests/linux/pal: C files and headers, and the assembly of this architecture."""
    folder = os.path.join(RECIPE, "pal")
    sources = sorted(glob.glob(os.path.join(folder, "*.[ch]")))
    return compile_client(architecture, "pal",
                          sources + [os.path.join(folder, "asm_%s.S" % architecture)], PAL_FLAGS)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def build(architecture, output=None):
    """Writes the initramfs of one architecture and returns its path."""
    _, busybox = kernels.ensure(architecture)
    members = [(name, stat.S_IFDIR | 0o755) for name in ("bin", "dev", "proc", "sys", "tmp")]
    members += [
        ("bin/busybox", stat.S_IFREG | 0o755, contents(busybox)),
        ("bin/facts", stat.S_IFREG | 0o755, contents(compile_facts(architecture))),
        ("bin/hypercalls", stat.S_IFREG | 0o755, contents(compile_hypercalls(architecture))),
        ("bin/pal", stat.S_IFREG | 0o755, contents(compile_pal(architecture))),
        ("bin/sh", stat.S_IFLNK | 0o777, b"busybox"),
        ("bin/work", stat.S_IFREG | 0o644, contents(os.path.join(RECIPE, "work"))),
        ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),
        ("init", stat.S_IFREG | 0o755, contents(os.path.join(RECIPE, "init"))),
    ]
    if architecture == "amd64":         # whose kernel runs 32-bit processes too
        members += [("bin/%s32" % name, stat.S_IFREG | 0o755, contents(compiled("i386")))
                    for name, compiled in (("hypercalls", compile_hypercalls),
                                           ("pal", compile_pal))]
    output = output or os.path.join(GUESTS, architecture, "initrd")
    archive = cpio_archive(sorted(members))
    if not os.path.exists(output) or contents(output) != archive:
        write_atomically(os.path.abspath(output), archive)
    return output


def extended(architecture, output, files):
    """The initramfs and a second archive behind it, with executable files {path: bytes}; a path
    that the first one has is replaced."""
    folders = {os.path.dirname(path) for path in files} - {"", "bin"}
    members = [(folder, stat.S_IFDIR | 0o755) for folder in sorted(folders)]
    members += [(path, stat.S_IFREG | 0o755, data) for path, data in sorted(files.items())]
    base = contents(build(architecture))
    write_atomically(os.path.abspath(output),
                     base + b"\0" * (-len(base) % 4) + cpio_archive(members))
    return output


def command(arguments):
    if not 1 <= len(arguments) <= 2 or arguments[0] not in MACHINE_FLAG:
        raise Failure("usage: tools/initramfs.py amd64|i386 [OUTPUT]", 2)
    print(build(*arguments))
    return 0


if __name__ == "__main__":
    main(command)
