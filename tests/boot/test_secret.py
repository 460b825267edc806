"""Secrets that outlive a boot: root secret and NV memory from modules (REQ-PAL-12).

Each test is one story over several boots of one machine. What a boot keeps comes over the console
as hex and goes into the next boot's initramfs, or to the boot loader.
"""
import hashlib
import os
import re
import struct
import subprocess
import tempfile

import initramfs
from bochs import Bochs
from common import build_image
from harness import boot, check, payload, refusal, spoiled

SECRET = bytes(range(0x31, 0x51))       # no part of it is anything else on the console
OTHER_SECRET = SECRET[::-1]
SEALED = bytes((0x6e + 5 * i) & 0xff for i in range(40))  # guests/linux/pal/keep.c
KEPT = r"^NACRE-GUEST: pal-\w+ kept width=(\d+) ([\w-]+)=([0-9a-f]+)$"
SECONDS = 1500


def kept(serial):
    """{(width, name): bytes} of all lines that say what to keep."""
    found = {}
    for width, name, digits in re.findall(KEPT, serial, re.MULTILINE):
        key = int(width), name
        found[key] = found.get(key, b"") + bytes.fromhex(digits)
    return found


def initrd_with(name, kept_files):
    """The usual initramfs with the files in /kept."""
    files = {"kept/%s%d" % (what, width): data for (width, what), data in kept_files.items()}
    return initramfs.extended("amd64", os.path.join(initramfs.GUESTS, "amd64", name), files)


def source(name, work, secret=SECRET, nv=None, options="", files=None, **others):
    initrd = initrd_with(name + ".initrd", files) if files else None
    made = payload(work=work, options=options, initrd=initrd, **others)
    for word, data in (("secret", secret), ("nv", nv)):
        if data is not None:
            made.modules.append((spoiled("%s.%s" % (name, word), data), word))
    return made


def no_secrets(serial):
    """Neither the root secret nor what was sealed is on the console, in any notation."""
    for secret in (SECRET, OTHER_SECRET, SEALED):
        for part in (secret[:8], secret[-8:], secret[4:12]):
            swapped = part[::-1]
            for text in (part.hex(), swapped.hex(), part.hex(" "), part.hex(",")):
                check(text not in serial.lower(), "a secret is on the console: %s" % text)
            check(part.decode("latin-1") not in serial, "a secret is on the console, as it is")


def story(name, work, **options):
    serial = boot(name, source=source(name, work, **options), work=work.replace("pal64-", "pal-"),
                  seconds=SECONDS)
    no_secrets(serial)
    return serial


def openssl(folder, *words, **files):
    """Runs openssl in a folder with these files; its output."""
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    result = subprocess.run(["openssl", *words], cwd=folder, text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.stdout


def check_quotes(found, width, marks=0):
    """The three quotes, by openssl alone. marks: 1 for a debug build."""
    evidence = found[width, "evidence"]
    body = evidence[:int.from_bytes(evidence[12:16], "little")]
    check(evidence[16:20] == bytes([marks, 0, 0, 0]), "the flags are not those of this build")
    check(evidence[20:24] == bytes([2, 0, 0, 0]), "the root's source is not 'module'")
    check(evidence[96 - 32:96] == found[width, "identity"], "another identity")
    info = bytes([1, 1, 0, marks]) + b"QUOT" + hashlib.sha1(found[width, "composite"]).digest() + \
        b"nonce".ljust(20, b"\0")
    with tempfile.TemporaryDirectory() as folder:
        said = openssl(folder, "dgst", "-sha256", "-keyform", "DER", "-verify", "key",
                       "-signature", "signature", "body", key=found[width, "key"], body=body,
                       signature=evidence[len(body):])
        check("Verified OK" in said, "openssl says of the evidence: %s" % said)
        openssl(folder, "rsa", "-RSAPublicKey_in", "-inform", "DER", "-in", "old", "-pubout",
                "-out", "rsa.pem", old=found[width, "old-key"])
        said = openssl(folder, "dgst", "-sha1", "-verify", "rsa.pem", "-signature", "signature",
                       "info", info=info, signature=found[width, "signature"])
        check("Verified OK" in said, "openssl says of the old quote: %s" % said)
        first = found[width, "first-quote"]
        said = openssl(folder, "dgst", "-sha1", "-verify", "rsa.pem", "-signature", "signature",
                       "signed", signed=first[:-512], signature=first[-512:-256])
        check("Verified OK" in said, "openssl says of the first quote: %s" % said)
    registers = found[width, "composite"][7:]
    check(first[:-512] == bytes([1, 1, 0, marks]) + b"QUOT" + struct.pack("<3I", 2, 0, 1)
          + registers[:20] + bytes(20) + b"nonce".ljust(20, b"\0"), "the first quote has more")


def test_secret_outlives_boots():
    """Sealed here, opened there, and nowhere else; quotes; NV memory, and its replay."""
    first = kept(story("secret-1", "pal-keep", options="log=trace"))  # all that is ever logged
    for width in (64, 32):
        check_quotes(first, width)
    owner = "nv-owner=" + first[64, "identity"].hex()
    second = kept(story("secret-2", "pal-back:open,pal64-back:nv:0", options=owner, files=first))
    third = kept(story("secret-3", "pal64-back:nv:1,pal-keep", options=owner,
                       nv=second[64, "nv"]))
    for what in ("identity", "key", "old-key"):
        for width in (64, 32):
            check(third[width, what] == first[width, what], "%s is another one" % what)
    # Who can choose the boot loader's files can go back to older ones: docs/threats.md.
    story("secret-4", "pal64-back:nv:1", options=owner, nv=second[64, "nv"])


def test_secret_of_another_machine():
    """What was sealed under one root secret stays closed under others, and says so."""
    first = kept(story("secret-a", "pal-keep"))
    other = kept(story("secret-b", "pal-back:other,pal-keep", secret=OTHER_SECRET, files=first))
    check(other[64, "key"] != first[64, "key"], "two root secrets, one key")
    check(other[64, "identity"] == first[64, "identity"], "a PAL is another one elsewhere")
    none = kept(story("secret-c", "pal-back:other,pal-keep", secret=None, files=first))
    check(none[64, "evidence"][20] == 3, "the evidence does not say that the root is random")
    check(none[64, "key"] not in (first[64, "key"], other[64, "key"]), "a random key is known")


def test_secret_debug_build():
    """Who can attack a build more easily sees that in each of its quotes."""
    image = build_image("trustvisor", "picolibc", "Og")
    check_quotes(kept(story("secret-debug", "pal64-keep", image=image)), 64, marks=1)


def refused(name, what, before=1, **options):
    refusal(Bochs(name, source(name, "poweroff", **options)), what, before)


def test_refusal_secret_size():
    for number, secret in enumerate((SECRET[:1], SECRET[:-1], SECRET + b"\n")):
        refused("secret-size-%d" % number, r"module 'secret' has %d bytes; it must have 32"
                % len(secret), secret=secret)


def test_refusal_nv():
    refused("nv-size", r"module 'nv' has 95 bytes; it must have 96", 2, nv=b"x" * 95)
    refused("nv-format", r"module 'nv': not a sealed blob", 2, nv=b"x" * 96)
