#!/usr/bin/python3
"""./nacre demo and ./nacre shell: boots Debian's Linux under Nacre in Bochs.

Shows the guest's serial console as it comes and a closing summary. The exit status is 0 only if
the guest came up and the machine was switched off cleanly. Options: --help.
"""
import os
import re
import select
import shlex
import sys
import termios
import tty

import guest
import initramfs
from bochs import Bochs
from common import (ROOT, Failure, Parser, build_image, main, number, readable,
                    write_atomically)
from emulator import Stuck

GUEST_UP = re.compile(r"^NACRE-GUEST: up arch=(\S+) cpus=(\d+) .*tsc=(\d+) ", re.MULTILINE)
EXITS = re.compile(r"^nacre: summary: exits total=(\d+)", re.MULTILINE)
PROMPT = "\nguest# "                    # of the shell that guests/linux/work starts
LEAVE_KEY = b"\x1d"                     # Ctrl-]
SLOW = " pal-budget=10000"              # a budget is real time, and this machine is a slow one
MAX_CPUS = 8                            # CONFIG_MAX_CPUS of config/config.h


def parse(arguments):
    parser = Parser(prog="nacre demo", description="Boot Linux under Nacre in the Bochs emulator.")
    add = parser.add_argument
    add("--cpus", type=number(1, MAX_CPUS), default=4, help="1 to 8 (%(default)s)")
    add("--memory", type=number(64, 2048), default=256, metavar="MIB", help="(%(default)s)")
    add("--arch", choices=guest.ARCHITECTURES, default="amd64", help="(%(default)s)")
    add("--app", default="trustvisor", help="hypapp: a name or a folder (%(default)s)")
    add("--libc", choices=["picolibc", "newlib"], default="picolibc", help="(%(default)s)")
    add("--kernel", help="another kernel")
    add("--initrd", help="another initramfs")
    add("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    add("--options", default="", metavar="WORDS", help="words for Nacre's own command line")
    add("--do", metavar="WORK", help="what the guest does: see guests/linux/work (pal-demo; "
                                     "nothing with --interactive)")
    add("--program", metavar="FILE", help="a static program of yours that the guest runs")
    add("--arguments", default="", metavar="WORDS", help="the program's, as for a shell")
    add("--secret", metavar="FILE", help="32 bytes: the root secret that PALs' keys come from")
    add("--interactive", action="store_true", help="a shell in the guest; Ctrl-] leaves it")
    add("--bare", action="store_true", help="the same without Nacre")
    add("--timeout", type=number(1, 36000), default=600, metavar="SECONDS",
        help="give up when the guest is not up by then (%(default)s)")
    return parser.parse_args(arguments)


def show(data):
    """Puts console output on ours at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text):
    show(("demo: %s\n" % text).encode())


def talk(machine):
    """Carries the terminal's keys to the guest until it ends; True if the user left before."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard) if os.isatty(keyboard) else None
    if before is not None:
        tty.setraw(keyboard)
    open_end = True
    try:
        while True:
            # Nobody waits for a prompt where input comes from a file: it would be typed too early.
            listening = before is not None or PROMPT in machine.serial
            watched = [machine.console_fd()] + ([keyboard] if open_end and listening else [])
            ready, _, _ = select.select(watched, [], [], 0.5)
            if keyboard in ready:
                keys = os.read(keyboard, 256)
                if before is not None and LEAVE_KEY in keys:
                    return True
                open_end = bool(keys)
                machine.send(keys)
            if machine.console_fd() in ready and not machine.pump(0):
                return False
            if not ready and not machine.pump(0):
                return False
    finally:
        if before is not None:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def summarise(machine, bare):
    """The closing lines; raises if the run was not what it should be."""
    up = GUEST_UP.search(machine.serial)
    if not up:
        raise Stuck(machine.report("the guest's first process was not seen"))
    if not machine.clean_end():
        raise Stuck(machine.report("the machine was not switched off cleanly"))
    note("guest up on %s CPUs (%s) after %.2f billion ticks; switched off cleanly after %.0f s"
         % (up.group(2), up.group(1), int(up.group(3)) / 1e9, machine.seconds()))
    exits = EXITS.search(machine.serial)
    if exits:
        note("%s VM exits in all; the nacre: lines above say of what kind" % exits.group(1))
    elif not bare:
        raise Stuck(machine.report("Nacre's closing summary was not seen"))


def keep_console(console, image):
    """Where `./nacre stack` looks for what a boot of this image measured."""
    folder, name = os.path.split(image)
    name = "stack-%s.console" % name[len("nacre-"):-len(".elf")]
    write_atomically(os.path.join(folder, name), console.encode())


def add_program(options):
    """Puts the user's program into the guest, as its work."""
    name = os.path.basename(options.program)
    with open(options.program, "rb") as file:
        files = {"user/" + name: file.read()}
    files["user/arguments"] = ("exec ./%s %s\n" % (shlex.quote(name), options.arguments)).encode()
    options.initrd = initramfs.extended(
        options.arch, os.path.join(initramfs.GUESTS, options.arch, "program.initrd"), files)
    options.do = options.do or "program"
    if "pal-budget=" not in options.options:
        options.options += SLOW


def command(arguments):
    options = parse(arguments)
    if options.program is not None and options.initrd is not None:
        raise Failure("--program and --initrd exclude each other", 2)
    for path, what in ((options.kernel, "kernel"), (options.initrd, "initrd"),
                       (options.program, "program"), (options.secret, "secret")):
        if path is not None:
            readable(path, what)
    if not os.path.isdir(options.app if "/" in options.app
                         else os.path.join(ROOT, "apps", options.app)):
        raise Failure("there is no hypapp '%s'" % options.app, 2)
    if options.program is not None:
        add_program(options)
    if options.do is None:
        options.do = "" if options.interactive else "pal-demo"
    work = ",".join(part for part in (options.do, "shell" if options.interactive else "") if part)
    image = None if options.bare else build_image(options.app, options.libc)
    # The demo shows how the kernel comes up; whoever wants a shell rather has it soon.
    words = options.append if options.interactive else "loglevel=7 " + options.append
    payload = guest.payload(options.arch, work or "poweroff", words, options.bare,
                            options.options, image, options.kernel, options.initrd)
    if options.secret is not None:
        payload.modules.append((options.secret, "secret"))
    machine = Bochs("demo", payload, cpus=options.cpus, memory_mb=options.memory, on_serial=show)
    note("Bochs: %d CPUs, %d MiB; %s" % (options.cpus, options.memory,
                                         "Ctrl-] leaves" if options.interactive
                                         else "the guest's console follows"))
    try:
        with machine:
            if options.interactive:
                if talk(machine):
                    note("left; the machine is gone")
                    return 0
            else:
                machine.wait(GUEST_UP.pattern, options.timeout)
                machine.wait_end(options.timeout)
            summarise(machine, options.bare)
            if image is not None:
                keep_console(machine.serial, image)
    except Stuck as stuck:
        raise Failure(str(stuck))
    return 0


if __name__ == "__main__":
    main(command)
