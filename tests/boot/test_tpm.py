"""libtpm on a machine with a TPM 2.0: QEMU with swtpm behind both interfaces, which the BIOS has
used before us. Here is only what depends on the machine; tests/sdk/test_tpm.py has the rest."""
import os
import re
import shutil
import subprocess
import tempfile
import time

from common import BUILD
from harness import Payload, check, image
from qemu import Qemu


class Swtpm:
    """A TPM's memory; each with-block is one run of the machine that it is in."""

    def __init__(self):
        os.makedirs(os.path.join(BUILD, "run"), exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="tpm.", dir=os.path.join(BUILD, "run"))
        self.socket = os.path.join(self.folder, "socket")
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.folder, "--ctrl",
             "type=unixio,path=" + self.socket], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not os.path.exists(self.socket):
            check(time.monotonic() < end and self.process.poll() is None, "swtpm does not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def device(self, kind):
        return ["-chardev", "socket,id=tpm,path=" + self.socket,
                "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", kind + ",tpmdev=tpm0"]

    def remove(self):
        shutil.rmtree(self.folder)


def takes(name, device):
    """[(outcome, secret, milliseconds)] of one boot, and the console."""
    with Qemu(name, Payload(image("tpm")), extra=device) as machine:
        machine.wait(r"^nacre: test: done$", 60)
        taken = re.findall(r"^nacre: test: (.*) ([0-9a-f]{64}) after (\d+) ms$", machine.serial,
                           re.MULTILINE)
        check(len(taken) == 2, machine.report("no two outcomes"))
        return [(outcome, secret, int(ms)) for outcome, secret, ms in taken], machine.serial


def same_secret_at_two_boots(name, kind):
    tpm = Swtpm()
    secrets = set()
    for _ in range(2):
        with tpm:
            (first, again), serial = takes(name, tpm.device(kind))
        check(first[0] == "found" and again[0] == "unusable", serial)
        check("locked since before this boot" in serial, serial)
        check("owner's authorization can replace" in serial, "the BIOS closes the platform's: "
              + serial)
        secrets.add(first[1])
    check(len(secrets) == 1, "another secret at the second boot")
    check(secrets != {"00" * 32}, "the secret is zero")
    tpm.remove()


def test_tpm_qemu_fifo():
    same_secret_at_two_boots("tpm-fifo", "tpm-tis")


def test_tpm_qemu_buffer():
    same_secret_at_two_boots("tpm-buffer", "tpm-crb")


def test_tpm_qemu_none():
    taken, serial = takes("tpm-none", [])
    for outcome, secret, ms in taken:
        check(outcome == "no TPM" and secret == "00" * 32 and ms < 10, serial)
