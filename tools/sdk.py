#!/usr/bin/python3
"""Builds the guests' SDK in build/sdk/: headers, libraries for 32-bit and 64-bit programs and for
PALs, linker scripts, and the commands nacre-pal-cc and nacre-verify.

    tools/sdk.py
"""
import concurrent.futures
import glob
import hashlib
import os
import shutil
import sys

import sdk_verify
from common import BUILD, ROOT, Failure, main, private_name, run

sys.path.insert(0, os.path.join(ROOT, "site_scons"))
import thirdparty  # noqa: E402

OUT = os.path.join(BUILD, "sdk")
WIDTHS = {32: "-m32", 64: "-m64"}
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion",
            "-Wstrict-prototypes", "-Wmissing-prototypes"]
COMMON = ["-std=gnu11", "-O2", "-g", "-fno-stack-protector", "-fcf-protection=none",
          "-ffile-prefix-map=%s=." % ROOT]
# A program with a PAL is at a fixed address; one that only asks for a TrustVisor need not be.
FIXED, ANYWHERE = ["-fno-pic", "-fno-pie"], ["-fPIE"]
# What becomes a PAL: as nacre-pal-cc compiles it.
PAL = [*FIXED, "-ffreestanding", "-mgeneral-regs-only", "-fno-common",
       "-fno-asynchronous-unwind-tables", "-fno-builtin", "-fno-tree-loop-distribute-patterns",
       "-ffunction-sections", "-fdata-sections"]

# The simulation is libtv's own code; what the machine does for it, sdk/program does.
SIMULATION = ["sdk/program/simulation.c", "sdk/program/simulation_memory.c",
              *("libtv/%s.c" % name for name in (
                  "evidence", "marshal", "marshal_plan", "measure", "pcr", "random", "root", "rsa",
                  "seal", "service", "service_new", "service_new_quote", "service_nv",
                  "service_old", "service_old_quote"))]
SIMULATION_INCLUDE = ["libtv", "libtv/include", "libtv/api", "libvmx/api", "libbase/include",
                      "platform/include", "build/include"]
# RSA with 62-bit limbs needs 128-bit products; the keys are the same. Lengths are checked in 64
# bits before they become a size_t.
SIMULATION_FLAGS = {64: FIXED, 32: [*FIXED, "-Wno-conversion",
                                    "-Dbr_rsa_i62_keygen=br_rsa_i31_keygen",
                                    "-Dbr_rsa_i62_pkcs1_sign=br_rsa_i31_pkcs1_sign"]}
SIMULATION_SYMBOLS = ["pal_simulation_begin", "pal_simulation_call", "pal_simulation_end"]


class Builder:
    """Compiles in parallel what changed: an object's name has the digest of all that made it."""

    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        headers = [path for pattern in ("sdk/**/*.h", "libtv/**/*.h", "libvmx/api/**/*.h",
                                        "libbase/include/**/*.h", "platform/include/**/*.h",
                                        "config/*.h", "tools/sdk.py", "third_party/bearssl/*")
                   for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True))]
        self.headers = hashlib.sha256()
        for path in headers:
            self.headers.update(contents(path))

    def compile(self, source, flags):
        digest = self.headers.copy()
        digest.update(repr(flags).encode() + contents(os.path.join(ROOT, source)))
        name = "%s-%s.o" % (os.path.basename(source)[:-2], digest.hexdigest()[:16])
        target = os.path.join(OUT, "objects", name)
        if not os.path.exists(target):
            temporary = private_name(target)
            run(["gcc", *flags, "-c", source, "-o", temporary], cwd=ROOT)
            os.replace(temporary, target)
        return target

    def objects(self, sources, flags):
        """Futures of the objects' paths."""
        return [self.pool.submit(self.compile, source, flags) for source in sources]


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def results(futures):
    return [future.result() for future in futures]


def install(path, name, mode=0o644):
    """Copies a file to build/sdk/; an unchanged one keeps its time."""
    target = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target) or contents(target) != contents(path):
        temporary = private_name(target)
        shutil.copyfile(path, temporary)
        os.chmod(temporary, mode)
        os.replace(temporary, target)


def install_files(bearssl):
    for path in glob.glob(os.path.join(ROOT, "sdk/include/nacre/*.h")):
        install(path, "include/nacre/" + os.path.basename(path))
    install(os.path.join(ROOT, "libtv/include/tv/abi.h"), "include/tv/abi.h")
    for path in glob.glob(os.path.join(ROOT, bearssl.include[0], "*.h")):
        install(path, "include/" + os.path.basename(path))
    for name in ("pal.lds", "pal-object.lds"):
        install(os.path.join(ROOT, "sdk", name), name)
    install(os.path.join(ROOT, "sdk/nacre-pal-cc"), "bin/nacre-pal-cc", 0o755)


def archive(path, objects, names):
    """An archive whose members have plain names, written only if it is another one."""
    folder = private_name(path)
    os.makedirs(folder)
    for number, (source, name) in enumerate(zip(objects, names)):
        shutil.copyfile(source, os.path.join(folder, "%s.o" % name))
    temporary = folder + ".a"
    run(["ar", "rcsD", temporary, *(os.path.join(folder, name + ".o") for name in names)])
    shutil.rmtree(folder)
    os.replace(temporary, path)
    return path


def stems(sources):
    return [os.path.basename(source)[:-2] for source in sources]


def simulation(width, objects):
    """libtv and BearSSL as one object: a program may have a BearSSL of its own."""
    joined = os.path.join(OUT, "objects", "simulation%d.o" % width)
    temporary = private_name(joined)
    run(["ld", "-r", "--force-group-allocation",
         "-m", "elf_i386" if width == 32 else "elf_x86_64", "-o", temporary,
         *objects])
    run(["objcopy", *("--keep-global-symbol=" + name for name in SIMULATION_SYMBOLS), temporary])
    os.replace(temporary, joined)
    return joined


def libraries(builder, bearssl, width):
    """What the two libraries of one width need, being compiled; a function that completes them."""
    machine = [WIDTHS[width], *COMMON]
    sdk = [*WARNINGS, "-I" + os.path.join(ROOT, "sdk/include"), "-Ilibtv/include"]
    crypto = [*("-D" + word for word in bearssl.defines), *bearssl.flags]
    plain = builder.objects(["sdk/program/nacre.c", "libtv/abi.c"],
                            [*machine, *sdk, *ANYWHERE, "-ffreestanding"])
    program = builder.objects(["sdk/program/program.c"],
                              [*machine, *sdk, *ANYWHERE, "-D_GNU_SOURCE"])
    simulated = builder.objects(SIMULATION, [
        *machine, *sdk, "-D_GNU_SOURCE", *SIMULATION_FLAGS[width],
        *("-I" + path for path in SIMULATION_INCLUDE),
        *(word for path in bearssl.include for word in ("-isystem", path))])
    simulated += builder.objects(bearssl.sources, [*machine, *FIXED, *crypto])
    pal_sources = ["sdk/pal/service.c", "sdk/pal/memory.c"]
    inside = builder.objects(pal_sources, [*machine, *sdk, *PAL])
    inside += builder.objects(bearssl.sources, [*machine, *crypto, *PAL])

    def complete():
        folder = os.path.join(OUT, "lib%d" % width)
        os.makedirs(folder, exist_ok=True)
        yield archive(os.path.join(folder, "libnacre.a"),
                      [*results(plain), *results(program),
                       simulation(width, results(simulated))],
                      ["nacre", "abi", "program", "simulation"])
        yield archive(os.path.join(folder, "libnacrepal.a"), results(inside),
                      stems([*pal_sources, *bearssl.sources]))
    return complete


def command(arguments):
    if arguments:
        raise Failure("usage: tools/sdk.py", 2)
    os.chdir(ROOT)
    os.makedirs(os.path.join(OUT, "objects"), exist_ok=True)
    os.makedirs("build/include", exist_ok=True)
    if not os.path.islink("build/include/config"):
        os.symlink("../../config", "build/include/config")
    try:
        bearssl = thirdparty.prepare("bearssl", "third_party/bearssl", "build")
    except thirdparty.Unavailable as reason:
        raise Failure(str(reason))
    install_files(bearssl)
    builder = Builder()
    verifier = builder.pool.submit(sdk_verify.build, OUT)
    for complete in [libraries(builder, bearssl, width) for width in WIDTHS]:
        for path in complete():
            print(os.path.relpath(path))
    print(os.path.relpath(verifier.result()))
    return 0


if __name__ == "__main__":
    main(command)
