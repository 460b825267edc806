"""What the tools share: where things lie, and how they give up.

A tool that cannot go on raises Failure with one line for the user; main() turns it into that line
on standard error and an exit status. Wrong arguments are status 2, everything else is 1.
"""
import argparse
import os
import signal
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
GUESTS = os.path.join(BUILD, "guests")
CACHE = os.path.expanduser(os.environ.get("NACRE_CACHE") or "~/.cache/nacre")


class Failure(Exception):
    """One clear line for the user, and the exit status that goes with it."""

    def __init__(self, line, status=1):
        super().__init__(line)
        self.status = status


class Parser(argparse.ArgumentParser):
    """Like its parent, but a wrong argument is answered with one line, not the whole usage."""

    def error(self, message):
        raise Failure("%s (--help lists the options)" % message, 2)


def number(low, high):
    """A type for Parser's options: a whole number within the limits."""
    def parse(text):
        try:
            value = int(text, 0)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError("%s is not a number from %d to %d"
                                             % (text, low, high))
        return value
    return parse


def run(command, **options):
    """Runs a tool quietly; its last lines of output explain a failure. Returns its stdout."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, errors="replace", **options)
    except FileNotFoundError:
        raise Failure("%s is not installed: run ./nacre setup" % command[0])
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise Failure("%s failed (%d): %s" % (os.path.basename(command[0]), done.returncode,
                                              " | ".join(lines[-3:])))
    return done.stdout


def readable(path, what):
    """Returns path if it is a readable, non-empty file; otherwise says which one is not."""
    if not os.path.isfile(path):
        raise Failure("%s '%s' does not exist" % (what, path))
    if not os.access(path, os.R_OK):
        raise Failure("%s '%s' cannot be read" % (what, path))
    if os.path.getsize(path) == 0:
        raise Failure("%s '%s' is empty" % (what, path))
    return path


def image_path(app="trustvisor", libc="picolibc", opt="O2"):
    """Where the build puts Nacre's image for one choice of app, C library and optimisation."""
    return os.path.join(BUILD, "%s-%s" % (libc, opt), "nacre-%s.elf" % os.path.basename(app))


def build_image(app="trustvisor", libc="picolibc", opt="O2", proof="on"):
    """Brings an image up to date and returns its path; a failing build shows its last lines."""
    words = ["scons", "-Q", "-C", ROOT, "app=" + app, "libc=" + libc, "opt=" + opt,
             "proof=" + proof]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, errors="replace")
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
        raise Failure("the image was not built: %s" % " ".join(words))
    return readable(image_path(app, libc, opt), "image")


def private_name(path):
    """A name beside path of this thread alone: to be renamed when the file is complete."""
    return "%s.%d.%d" % (path, os.getpid(), threading.get_ident())


def write_atomically(path, data):
    """Writes bytes under a private name first, so that a parallel reader never sees half a file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = private_name(path)
    with open(temporary, "wb") as out:
        out.write(data)
    os.replace(temporary, path)


def main(function):
    """Runs a tool's main function and turns its Failure into one line and an exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(function(sys.argv[1:]) or 0)
    except Failure as failure:
        print("%s: %s" % (os.path.basename(sys.argv[0]), failure), file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        print("%s: interrupted" % os.path.basename(sys.argv[0]), file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
