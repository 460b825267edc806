"""What the C files below tests/fuzz and tests/proof say in their opening comment about themselves:
lines ' * WORD: ...', the first of them 'sources:', the files of the project that they are linked
with (patterns are allowed, libX/[a-z]*.c for a whole library: what opens a comment cannot stand in
one; 'fake' is the fake machine and what it needs, 'crypto' is BearSSL, 'verifier' is what only
nacre-verify needs of it).
"""
import functools
import glob
import os
import re
import sys

from common import BUILD, ROOT, Failure

sys.path.insert(0, os.path.join(ROOT, "site_scons"))

import thirdparty  # noqa: E402

THIRD_PARTY = "build/third_party/"
FAKE = ["platform/fake/*.c", "libbase/*.c"]
VERIFIER = ["src/codec/pemdec.c", "src/ec/ecdsa_atr.c", "src/ec/ecdsa_i31_vrfy_asn1.c"]
INCLUDE = [".", "libbase/include", "platform/include", "libvmx/api", "platform/fake/include"]


def read(path, known):
    """{word: text} of the opening comment; a text may go on in lines that are indented further."""
    with open(path, encoding="utf-8") as file:
        comment = file.read().split("*/")[0]
    found, word = {}, None
    for line in comment.splitlines():
        match = re.match(r" \* (\w+): (.*)$", line)
        if match and match.group(1) in known:
            word = match.group(1)
            found[word] = match.group(2)
        elif word and line.startswith(" *  "):
            found[word] += " " + line[2:].strip()
        else:
            word = None
    return found


@functools.lru_cache(None)
def crypto():
    """BearSSL, fetched if it was not yet."""
    try:
        return thirdparty.prepare("bearssl", os.path.join(ROOT, "third_party/bearssl"), BUILD)
    except thirdparty.Unavailable as reason:
        raise Failure(str(reason))


def verifier():
    """Sources of BearSSL that are no part of the image."""
    return [os.path.join(crypto().folder, path) for path in VERIFIER]


def sources(said):
    """The files that 'sources:' names, without double ones, as paths below the project's folder."""
    groups = {"fake": lambda: FAKE, "crypto": lambda: crypto().sources, "verifier": verifier}
    patterns = []
    for word in said.get("sources", "").split():
        patterns += groups.get(word, lambda: [word])()
    files = []
    for pattern in patterns:
        hits = sorted(glob.glob(os.path.join(ROOT, pattern)))
        if not hits:
            raise Failure("there is no source %s" % pattern)
        files += [os.path.relpath(hit, ROOT) for hit in hits]
    return list(dict.fromkeys(files))


def include_folders(files):
    """-I words: the contracts, and for each source its own folder and its library's headers."""
    folders, words = list(INCLUDE), []
    if any(path.startswith(THIRD_PARTY) for path in files):
        words = ["-isystem" + folder for folder in crypto().include]
        files = [path for path in files if not path.startswith(THIRD_PARTY)]
    for folder in dict.fromkeys(os.path.dirname(path) for path in files):
        folders += [folder, os.path.join(folder, "include")]
    return ["-I" + folder for folder in dict.fromkeys(folders)
            if os.path.isdir(os.path.join(ROOT, folder))] + words


def chosen(prefix, names):
    """The paths PREFIXNAME.c: all of them, or those that are named."""
    there = {path[len(prefix):-2]: path
             for path in sorted(os.path.relpath(hit, ROOT)
                                for hit in glob.glob(os.path.join(ROOT, prefix + "*.c")))}
    for name in names:
        if name not in there:
            raise Failure("there is no %s%s.c (there are: %s)" % (prefix, name, ", ".join(there)),
                          2)
    return [there[name] for name in (names or there)]
