"""What the micro-TPM costs: ticks of each service, and bytes of the image that are cryptography.

guests/linux/pal measures (sub-command bench tpm): a PAL reads the time-stamp counter before and
after its hypercall. docs/bench.md says what each figure means.
"""
import os
import re

from _pals import APP, all_boots, values
from bochs import MODEL
from common import BUILD, build_image, readable, write_atomically
from emulator import Stuck

SERVICES = ("refused", "pcrread", "pcrext", "genrand32", "seal64", "unseal64", "quote_p256",
            "quote_rsa")
# How long the search for primes takes depends on the root secret: of 40 like this one, half took
# longer. The quickest needed a twentieth, the slowest five times as much.
SECRET = bytes(range(1, 33))
LIBRARY = "bearssl"

# Of a linker map: a section of an archive's member, whose name is on a line of its own if it is
# long. What the image's text_bytes counts is .text and .rodata.
SECTION = re.compile(r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)", re.MULTILINE)


def crypto_text_bytes(image):
    """Bytes of code and constants of the cryptography in the image, by the map of its link."""
    link = os.path.join(os.path.dirname(image), "link", APP + ".second.map")
    with open(readable(link, "linker map"), encoding="utf-8") as file:
        text = file.read().split("Linker script and memory map", 1)[-1]
    found = sum(int(size, 16) for size, member in SECTION.findall(text)
                if LIBRARY in member)
    if found == 0:
        raise Stuck("%s has nothing of %s" % (link, LIBRARY))
    return found


def measure(report):
    image = build_image(APP)
    report.figure("image.crypto_text_bytes", crypto_text_bytes(image), "bytes")
    secret = os.path.join(BUILD, "bench", "secret")
    write_atomically(secret, SECRET)
    job = ("pal64-bench:tpm", 1, "log=warn", ((secret, "secret"),), MODEL)
    found = values(all_boots([job])[job])
    for name in SERVICES:
        median, least = found[name]
        report.figure("tpm." + name, median, "ticks")
        report.note("%-12s median %12d, least %12d ticks" % (name, median, least))
    report.figure("tpm.rsa_key", found["quote_rsa_first"][0] - found["quote_rsa"][0], "ticks")
