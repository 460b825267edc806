#!/usr/bin/python3
"""Proves what tests/proof/prove_NAME.c state, for all inputs, with the model checker CBMC.

    tools/prove.py [--or-skip] [--show] [NAME ...]

Each harness says in its opening comment which sources it is about and how far loops are unrolled
("sources:", "options:"). CBMC comes from Debian's next release: its package and the libraries that
it needs are unpacked into a private folder of the cache (NACRE_CACHE, ~/.cache/nacre by default)
and run with that folder's own loader; nothing is installed. Without it the exit status is 3, or
with --or-skip, or with NACRE_NO_CBMC=1 in the environment, the proofs are skipped with one line.
The last line is 'N passed, N failed'.
"""
import concurrent.futures
import fcntl
import glob
import os
import re
import shutil
import subprocess
import time

import directives
import kernels
from common import CACHE, ROOT, Failure, Parser, main, run

NEXT_RELEASE = "trixie"
PACKAGES = ["cbmc", "minisat", "libc6", "libstdc++6", "libgcc-s1", "zlib1g"]
FOLDER = os.path.join(CACHE, "cbmc")
CANNOT_BE_HAD = 3
TIMEOUT_S = 600
# What every proof asks besides its own assertions.
CHECKS = ["--bounds-check", "--pointer-check", "--signed-overflow-check", "--undefined-shift-check",
          "--div-by-zero-check", "--unwinding-assertions", "--drop-unused-functions",
          "--slice-formula"]
PROPERTY = re.compile(r"^\[(\S+)\] (?:line (\d+) )?(.*): (SUCCESS|FAILURE|UNKNOWN|ERROR)$",
                      re.MULTILINE)
# proof_reached() is an assertion that must fail: otherwise nothing was proved, about no input.
REACHED = "the end is reached"


def apt_options():
    """A private apt state whose one source is the next release on this machine's own mirror."""
    state = os.path.join(FOLDER, "apt")
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(state, name), exist_ok=True)
    open(os.path.join(state, "status"), "a").close()
    with open(os.path.join(state, "sources.list"), "w") as out:
        for uri, suite in kernels.machine_sources():
            if suite == kernels.RELEASE:
                out.write("deb %s %s main\n" % (uri, NEXT_RELEASE))
    return kernels.apt_options(state, "amd64")


def download():
    """Unpacks CBMC and its libraries into the folder's root/; apt verifies where they are from."""
    fresh = os.path.join(FOLDER, "fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    options = apt_options()
    run(["apt-get", "-qq"] + options + ["-o", "APT::Update::Error-Mode=any", "update"])
    run(["apt-get", "-qq"] + options + ["download"] + PACKAGES, cwd=fresh)
    for deb in sorted(glob.glob(os.path.join(fresh, "*.deb"))):
        run(["dpkg-deb", "-x", deb, os.path.join(fresh, "root")])
        os.remove(deb)
    os.rename(os.path.join(fresh, "root"), os.path.join(FOLDER, "root"))
    for name in ("fresh", "apt"):
        shutil.rmtree(os.path.join(FOLDER, name))


def cbmc():
    """The words that start CBMC, fetching it if it is not there yet."""
    root = os.path.join(FOLDER, "root")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(root):
            try:
                download()
            except Failure as failure:
                raise Failure("CBMC cannot be had from Debian %s (offline?): %s"
                              % (NEXT_RELEASE, failure), CANNOT_BE_HAD)
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    loader = os.path.join(libraries, "ld-linux-x86-64.so.2")
    program = os.path.join(root, "usr/bin/cbmc")
    if not os.path.exists(loader) or not os.path.exists(program):
        raise Failure("CBMC's packages are not as expected: delete %s" % FOLDER, CANNOT_BE_HAD)
    folders = libraries + ":" + os.path.join(root, "usr/lib")
    return [loader, "--library-path", folders, program]


def prove(tool, path, show):
    """(name, line, output): the line starts with 'ok' if everything that is stated was proved."""
    name = os.path.basename(path)[len("prove_"):-len(".c")]
    said = directives.read(path, ("sources", "options"))
    sources = directives.sources(said)
    include = directives.include_folders(sources)
    words = tool + CHECKS + said.get("options", "").split() + include + [path] + sources
    started = time.monotonic()
    try:
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=TIMEOUT_S, check=False)
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        return name, "FAIL %s: no answer after %d s" % (name, TIMEOUT_S), ""
    found = PROPERTY.findall(output)
    reached = [entry for entry in found if entry[2] == REACHED]
    stated = [entry for entry in found if entry[2] != REACHED]
    broken = ["%s line %s: %s: %s" % entry for entry in stated if entry[3] != "SUCCESS"]
    seconds = time.monotonic() - started
    if status not in (0, 10) or not stated:
        line = "FAIL %s: CBMC gave up with status %d" % (name, status)
        return name, line, "\n".join(output.splitlines()[-8:])
    if not reached or any(entry[3] != "FAILURE" for entry in reached):
        return name, "FAIL %s: the end is never reached: nothing is proved" % name, ""
    if broken:
        return name, "FAIL %s %d of %d properties" % (name, len(broken), len(stated)), \
            "\n".join(broken)
    return name, "ok %s %d properties %.1f s" % (name, len(stated), seconds), \
        "\n".join("%s: %s" % (entry[0], entry[2]) for entry in stated) if show else ""


def command(arguments):
    parser = Parser(description="Prove tests/proof/prove_NAME.c with CBMC.")
    parser.add_argument("--or-skip", action="store_true",
                        help="without CBMC say so and succeed")
    parser.add_argument("--show", action="store_true", help="list the properties that were proved")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    chosen = directives.chosen("tests/proof/prove_", options.names)
    if os.environ.get("NACRE_NO_CBMC") == "1":
        print("proof: %d skipped: NACRE_NO_CBMC=1" % len(chosen))
        return 0
    try:
        tool = cbmc()
    except Failure as failure:
        if not options.or_skip or failure.status != CANNOT_BE_HAD:
            raise
        print("proof: %d skipped: %s" % (len(chosen), failure))
        return 0
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, line, output in pool.map(lambda path: prove(tool, path, options.show), chosen):
            failed += line.startswith("FAIL")
            print(line, flush=True)
            if output:
                print("    " + output.replace("\n", "\n    "))
    print("%d passed, %d failed" % (len(chosen) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    main(command)
