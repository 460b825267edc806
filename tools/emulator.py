"""What the emulated machines have in common: a serial console over a socket, and waiting for it.

Each machine lives in a private folder below build/run/, so any number may run at once; the console
is a socket of which the system chooses the port. Use as a context manager: leaving it ends the
emulator, whatever happened.
"""
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import make_disk
import make_iso
from common import BUILD, Failure, readable
from media import Payload

TAIL_LINES = 40
LIVE = set()                            # machines that run: whoever is interrupted ends them


def kill_all():
    """Ends every machine of this process; the threads that wait for them see them end."""
    for machine in list(LIVE):
        machine.kill_process()


class Stuck(Exception):
    """The machine did not do what was waited for. The text is the report for the user."""


class Machine:
    """One emulated machine. Subclasses write command(), environment() and cpu_states()."""

    def __init__(self, name, on_serial=None):
        runs = os.path.join(BUILD, "run")
        os.makedirs(runs, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix=re.sub(r"[^\w.-]", "_", name) + ".", dir=runs)
        self.name, self.on_serial = name, on_serial
        self.serial = ""                # everything the console has shown, newlines normalised
        self.process = None
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1)
        self.port = self._listener.getsockname()[1]
        self._console = None
        self.has_console = True         # False: the emulator's own output takes its place
        self.started = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def medium(self, source, tool, name):
        """A path, checked; or a Payload, of which tool makes a medium in our folder."""
        if isinstance(source, Payload):
            return tool.make(self.path(name), source)
        return os.path.abspath(readable(source, "boot medium"))

    def iso_path(self, source):
        return self.medium(source, make_iso, "boot.iso")

    def disk_path(self, source):
        return self.medium(source, make_disk, "disk.img")

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def cpu_states(self):
        """A text with the state of every CPU; empty if the emulator has ended."""
        return ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.kill()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Starts the emulator, which connects to our socket for its console."""
        self.started = time.monotonic()
        output = open(self.path("output.txt"), "wb")
        try:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.folder, env=self.environment(), start_new_session=True)
        except FileNotFoundError as missing:
            raise Failure("%s is not installed: run ./nacre setup" % missing.filename)
        finally:
            output.close()
        LIVE.add(self)
        self._listener.settimeout(0.2)
        while self.has_console and self._console is None:
            try:
                self._console, _ = self._listener.accept()
            except socket.timeout:
                if self.process.poll() is not None:
                    raise Failure("the emulator did not start: %s"
                                  % " | ".join(self.emulator_output()[-3:]))
        if self.has_console:
            self._console.setblocking(False)
        self._listener.close()

    def emulator_output(self):
        """The lines that the emulator itself wrote."""
        with open(self.path("output.txt"), errors="replace") as file:
            return [line.rstrip() for line in file if line.strip()]

    def seconds(self):
        return time.monotonic() - self.started

    def console_fd(self):
        return self._console.fileno()

    def pump(self, timeout):
        """Takes console output that arrives within the time; False once the emulator has ended."""
        if not self.has_console:
            time.sleep(min(timeout, 0.2))
            self.serial = "\n".join(self.emulator_output()) + "\n"
            return self.process.poll() is None
        with selectors.DefaultSelector() as selector:
            selector.register(self._console, selectors.EVENT_READ)
            if not selector.select(timeout):
                return self.process.poll() is None
        try:
            data = self._console.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.process.wait()
            return False
        text = data.decode("utf-8", "replace").replace("\r", "").replace("\0", "")
        self.serial += text
        if self.on_serial is not None:
            self.on_serial(data)
        return True

    def send(self, data):
        """Types on the machine's serial console."""
        self._console.setblocking(True)
        self._console.sendall(data)
        self._console.setblocking(False)

    def wait(self, pattern, timeout, start=0):
        """Waits until the console's text from start on matches; returns the match.

        timeout is in host seconds. Raises Stuck if it passes or the emulator ends before.
        """
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern, re.MULTILINE)
        alive = True
        while True:
            match = expression.search(self.serial, start)
            if match:
                return match
            left = deadline - time.monotonic()
            if not alive or left <= 0:
                reason = "no '%s' within %d s" % (pattern, timeout) if alive else \
                    "ended before '%s'" % pattern
                raise Stuck(self.report(reason))
            alive = self.pump(min(left, 0.5))

    def wait_end(self, timeout):
        """Waits until the emulator ends by itself; raises Stuck if it does not or not cleanly."""
        deadline = time.monotonic() + timeout
        while self.pump(0.5):
            if time.monotonic() > deadline:
                raise Stuck(self.report("still running after %d s" % timeout))
        if not self.clean_end():
            raise Stuck(self.report("the machine ended, but not by a power-off"))

    def clean_end(self):
        return self.process.poll() == 0

    def settle(self, seconds):
        """Lets the machine run on for some host seconds, to see what it still prints."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.pump(0.2):
            pass

    def report(self, reason):
        """What went wrong, the console's last lines and every CPU's state."""
        lines = self.serial.splitlines()[-TAIL_LINES:]
        parts = ["%s: %s" % (self.name, reason), "--- last serial lines"] + lines
        states = self.cpu_states()
        if states:
            parts += ["--- CPU states", states]
        parts += ["--- emulator"] + self.last_messages() + ["--- files: " + self.folder]
        return "\n".join(parts)

    def last_messages(self):
        return self.emulator_output()[-5:]

    def kill_process(self):
        """Ends the emulator at once. Any thread may do this."""
        if self.process is not None and self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill(self):
        """Ends the emulator and gives its resources back."""
        self.kill_process()
        if self.process is not None:
            self.process.wait()
            self.process.stdin.close()
        if self._console is not None:
            self._console.close()
        self._listener.close()
        LIVE.discard(self)
