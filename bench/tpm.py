"""What the micro-TPM's services cost a PAL, counted in ticks (instructions of CPU 0), and how large
the cryptography is that they need.

guests/linux/pal measures (sub-commands bench tpm and bench tpm_key) around each hypercall, inside
the PAL. docs/bench.md says what each figure means.
"""
import concurrent.futures
import os
import re
import statistics

import guest
from bochs import Bochs
from common import BUILD, Failure, build_image, private_name, write_atomically
from emulator import Stuck, kill_all

SECONDS = 900
QUOTES = 20
# How many numbers are tried until two are prime depends on the root secret alone.
SECRETS = [bytes([number] * 32) for number in range(1, 8)]
LINE = r"^NACRE-GUEST: bench tpm_(\w+) median=(\d+) min=(\d+) width=64$"
# Of the linker's map: a long name has its numbers on the next line.
INPUT_SECTION = re.compile(
    r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+ +0x([0-9a-f]+) \S+/libbearssl\.a\(", re.MULTILINE)


def boot(image, operation, secret):
    """{service: (median, least)} of one boot with that root secret."""
    path = private_name(os.path.join(BUILD, "bench-secret"))
    write_atomically(path, secret)
    try:
        payload = guest.payload(work="pal64-bench:" + operation, options="log=warn", image=image)
        payload.modules.append((path, "secret"))
        with Bochs("bench-tpm-%d" % secret[0], payload) as machine:
            machine.wait(r"^NACRE-GUEST: poweroff$", SECONDS)
            machine.wait_end(60)
            found = re.findall(LINE, machine.serial, re.MULTILINE)
            failed = re.search(r"^NACRE-GUEST: pal-\w+ (failed|skipped).*", machine.serial,
                               re.MULTILINE)
            if failed or not found:
                raise Stuck(machine.report(failed.group() if failed else "nothing measured"))
            return {name: (int(median), int(least)) for name, median, least in found}
    finally:
        os.remove(path)


def all_boots(image):
    """All services in the first boot, and the making of the key in each."""
    operations = ["tpm:%d" % QUOTES] + ["tpm_key"] * (len(SECRETS) - 1)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            return list(pool.map(lambda both: boot(image, *both), zip(operations, SECRETS)))
        except BaseException:
            kill_all()
            raise


def crypto_bytes(image):
    """What the linker left of BearSSL in the image: functions and constants, by its map."""
    folder, name = os.path.split(image)
    path = os.path.join(folder, "link", name[len("nacre-"):-len(".elf")] + ".second.map")
    with open(path, encoding="utf-8") as file:
        kept = file.read().split("Linker script and memory map")[1]
    found = sum(int(size, 16) for size in INPUT_SECTION.findall(kept))
    if found == 0:
        raise Failure("%s names nothing of BearSSL's" % path)
    return found


def measure(report):
    image = build_image()
    report.figure("image.crypto_text_bytes", crypto_bytes(image), "bytes")
    boots = all_boots(image)
    for name, (median, least) in boots[0].items():
        report.note("%-20s median %12d, least %12d ticks" % (name, median, least))
        if name != "rsa_key":
            report.figure("tpm." + name, median, "ticks")
    keys = sorted(done["rsa_key"][0] for done in boots)
    report.note("RSA keys of %d root secrets took %d to %d ticks"
                % (len(keys), keys[0], keys[-1]))
    report.figure("tpm.rsa_key", statistics.median(keys), "ticks")
