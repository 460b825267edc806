#!/usr/bin/python3
"""Builds the guests' SDK: headers, and the library for 32-bit and 64-bit programs, in build/sdk/.

    tools/sdk.py
"""
import os
import shutil

from common import BUILD, ROOT, main, run

OUT = os.path.join(BUILD, "sdk")
SOURCES = ["sdk/nacre.c", "libtv/abi.c"]
HEADERS = ["sdk/include/nacre/nacre.h", "sdk/include/nacre/pal_file.h", "libtv/include/tv/abi.h"]
WIDTHS = {32: "-m32", 64: "-m64"}
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion",
         "-Wstrict-prototypes", "-Wmissing-prototypes", "-ffreestanding", "-fno-stack-protector",
         "-fcf-protection=none"]


def install(path):
    """Copies a header to where programs include it from; an unchanged one keeps its time."""
    target = os.path.join(OUT, path[path.index("include/"):])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(os.path.join(ROOT, path), target)


def library(width):
    """The library of one width, with objects of its own."""
    folder = os.path.join(OUT, "lib%d" % width)
    os.makedirs(folder, exist_ok=True)
    objects = []
    for source in SOURCES:
        objects.append(os.path.join(folder, os.path.basename(source)[:-2] + ".o"))
        run(["gcc", WIDTHS[width], *FLAGS, "-I" + os.path.join(OUT, "include"), "-c", source,
             "-o", objects[-1]], cwd=ROOT)
    archive = os.path.join(folder, "libnacre.a")
    if os.path.exists(archive):
        os.remove(archive)
    run(["ar", "rcsD", archive, *objects])
    return archive


def command(_):
    for path in HEADERS:
        install(path)
    for width in WIDTHS:
        print(os.path.relpath(library(width)))
    return 0


if __name__ == "__main__":
    main(command)
