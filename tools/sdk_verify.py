"""nacre-verify, the verifier of quotes, for this computer: tools/sdk.py builds it with the rest."""
import glob
import os

import directives
from common import ROOT, run

SOURCES = ["libtv/measure.c"]
INCLUDE = [".", "sdk/include", "libtv/include"]
FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion",
         "-Wno-sign-conversion", "-Wstrict-prototypes", "-Wmissing-prototypes",
         "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong"]


def crypto(folder):
    """BearSSL as an archive, of which only what is called is linked; made once."""
    library = directives.crypto()
    archive = os.path.join(folder, os.path.basename(library.folder) + ".a")
    if os.path.exists(archive):
        return archive
    objects = os.path.join(folder, "bearssl")
    os.makedirs(objects, exist_ok=True)
    sources = library.sources + directives.verifier()
    run(["gcc", "-O2", "-w", *("-D" + word for word in library.defines),
         *("-I" + path for path in library.include + library.private_include),
         "-c", *sources], cwd=objects)
    run(["ar", "rcsD", archive + ".new",
         *(os.path.join(objects, os.path.basename(path)[:-2] + ".o") for path in sources)])
    os.rename(archive + ".new", archive)
    return archive


def build(out, program="nacre-verify", sources=None, include=()):
    """Compiles and links; out is build/sdk. Tests build programs of theirs in the same way."""
    if sources is None:
        sources = sorted(glob.glob(os.path.join(ROOT, "sdk/verify/*.c"))) + SOURCES
    folder = os.path.join(out, "verify")
    os.makedirs(folder, exist_ok=True)
    os.makedirs(os.path.join(out, "bin"), exist_ok=True)
    made = os.path.join(out, "bin", program)
    run(["gcc", *FLAGS, *("-I" + path for path in [*INCLUDE, *include]),
         *("-isystem" + path for path in directives.crypto().include), *sources, crypto(folder),
         "-o", made], cwd=ROOT)
    return made
