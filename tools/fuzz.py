#!/usr/bin/python3
"""Feeds random inputs to the parsers and decoders of what a guest or the firmware chose.

    tools/fuzz.py [--seconds N] [NAME ...]

Each tests/fuzz/fuzz_NAME.c is one libFuzzer target, built by clang with address and undefined-
behaviour sanitizers; its opening comment names the sources ("sources:"), further include folders
("include:") and libraries ("libs:"), and may give first inputs in hex, with commas between
("seeds:"). Inputs that reach something new are kept in build/fuzz/corpus/NAME and start the next
run. One that breaks something is kept as build/fuzz/broken-NAME-...; give it to the program
build/fuzz/NAME to see it again. The last line is 'N passed, N failed'.
"""
import concurrent.futures
import os
import re
import subprocess

import directives
from common import BUILD, ROOT, Failure, Parser, main, number

OUT = os.path.join(BUILD, "fuzz")
CLANG = "clang-14"
FLAGS = ["-std=gnu11", "-g", "-O2", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# The machine and the guests are not what is tried: their branches tell the fuzzer nothing, and it
# is faster so. Nor is what others wrote.
PLAIN = ("platform/fake/", "tests/unit/common/", directives.THIRD_PARTY)
RUNS = re.compile(r"^Done (\d+) runs", re.MULTILINE)
LONGEST_INPUT = 4096


def is_current(made, listing):
    """True if the object is not older than anything that its compiler call read."""
    if not os.path.exists(made) or not os.path.exists(listing):
        return False
    with open(listing, encoding="utf-8") as file:
        read = file.read().replace("\\\n", " ").split(":", 1)[1].split()
    age = os.path.getmtime(made)
    return all(os.path.exists(os.path.join(ROOT, path)) and
               os.path.getmtime(os.path.join(ROOT, path)) <= age for path in [__file__, *read])


def compile_one(path, folder, include):
    """The object of one source; compiled only if something that it reads has changed."""
    made = os.path.join(folder, path.replace("/", "-")[:-2] + ".o")
    listing = made[:-2] + ".d"
    if not is_current(made, listing):
        if path.startswith(directives.THIRD_PARTY):
            library = directives.crypto()
            include = ["-w", *("-I" + word for word in library.include + library.private_include),
                       *("-D" + word for word in library.defines)]
        extra = [] if path.startswith(PLAIN) else [*SANITIZE, "-fsanitize=fuzzer-no-link"]
        call([CLANG, *FLAGS, *extra, *include, "-MD", "-MF", listing, "-c", path, "-o", made])
    return made


def call(words):
    try:
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise Failure("%s is not installed: run ./nacre setup" % words[0])
    if done.returncode:
        raise Failure("%s failed:\n%s" % (words[0], done.stdout.strip()[-3000:]))


def build(path, pool):
    """The program of one target."""
    name = os.path.basename(path)[len("fuzz_"):-len(".c")]
    said = directives.read(path, ("sources", "include", "libs"))
    sources = directives.sources(said)
    include = directives.include_folders(sources) \
        + ["-I" + folder for folder in said.get("include", "").split()]
    # What a target's own folders hold may stand in for a header of the others'.
    folder = os.path.join(OUT, "objects", name if "include" in said else "common")
    os.makedirs(folder, exist_ok=True)
    jobs = [pool.submit(compile_one, source, folder, include)
            for source in [path, *sources]]
    program = os.path.join(OUT, name)
    objects = [job.result() for job in jobs]
    if not os.path.exists(program) or \
            any(os.path.getmtime(made) > os.path.getmtime(program) for made in objects):
        call([CLANG, *FLAGS, *SANITIZE, "-fsanitize=fuzzer", "-o", program, *objects,
              *("-l" + name for name in said.get("libs", "").split())])
    return program


def seed(path, corpus):
    """First inputs: what the target gives in hex, and some zeros."""
    os.makedirs(corpus, exist_ok=True)
    words = directives.read(path, ("seeds",)).get("seeds", "").split(",")
    for at, word in enumerate([*words, "00" * 64]):
        with open(os.path.join(corpus, "seed%d" % at), "wb") as file:
            file.write(bytes.fromhex(word))


def fuzz(path, program, seconds):
    """(ok, text)"""
    name = os.path.basename(program)
    corpus = os.path.join(OUT, "corpus", name)
    seed(path, corpus)
    words = [program, "-max_total_time=%d" % seconds, "-max_len=%d" % LONGEST_INPUT,
             "-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=0", "-verbosity=1",
             "-artifact_prefix=%s-" % os.path.join(OUT, "broken-" + name), corpus]
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:handle_abort=1",
                       UBSAN_OPTIONS="print_stacktrace=1")
    try:
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=seconds * 10 + 120, check=False)
    except subprocess.TimeoutExpired:
        return False, "FAIL %s: no end" % name
    runs = RUNS.search(done.stdout)
    if done.returncode or not runs:
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        return False, "FAIL %s\n    %s" % (name, "\n    ".join(lines[-45:]))
    return True, "ok %s %s runs" % (name, runs.group(1))


def command(arguments):
    parser = Parser(description="Run tests/fuzz/fuzz_NAME.c with libFuzzer.")
    parser.add_argument("--seconds", type=number(1, 1000000), default=5, metavar="N",
                        help="for each target (%(default)s)")
    parser.add_argument("--build", action="store_true", help="only build the targets")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    chosen = directives.chosen("tests/fuzz/fuzz_", options.names)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        programs = [build(path, pool) for path in chosen]
        if options.build:
            return 0
        for good, text in pool.map(lambda both: fuzz(*both, options.seconds),
                                   zip(chosen, programs)):
            failed += not good
            print(text, flush=True)
    print("%d passed, %d failed" % (len(chosen) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    main(command)
