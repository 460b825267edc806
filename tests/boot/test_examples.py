"""The examples of the SDK under Nacre, over two boots, by processes of both widths (REQ-PAL-12)."""
import base64
import hashlib
import os
import re
import subprocess
import tempfile

from harness import ROOT, boot, check, payload, spoiled
from test_sdk import OPTIONS, SECONDS, initrd, said, toolkit
from test_secret import SECRET, no_secrets

# Bochs' SYSRET leaves the attributes of SS as the kernel had them (so does an AMD processor's, for
# which Linux has a cure): 32-bit code that was preempted in a system call then has a 16-bit stack.
# Without the vDSO a C library uses INT 80h.
INT80 = "vdso32=0"
KEPT = ("count", "key", "key.pub", "text.sig", "evidence", "quote-key", "hash")
NONCE = "5e" * 32
# What each width does in a boot; fails with the first that is not as it must be.
FIRST = """
set -e
cd /kept/{width}
[ $(./counter count) = 1 ]
[ $(./counter count) = 2 ]
./signing-key new key
echo signed > text
./signing-key sign key text
./signing-key attest key {nonce} evidence
./signing-key quote-key quote-key
echo right > right
echo other > other
./password set hash < right
[ "$(./password check hash < right)" = right ]
for left in 4 3; do
    ./password check hash < other 2>&1 | grep "tries left: $left"
done
for name in {names}; do echo "$name:$(base64 $name | tr -d '\\n')" | fold -w 100; echo; done
"""
SECOND = """
set -e
cd /kept/{width}
[ $(./counter count) = 3 ]
echo signed > text
./signing-key sign key text
cmp text.sig text.sig.before
echo right > right
echo other > other
./password check hash < other 2>&1 | grep "tries left: 2"
[ "$(./password check hash < right)" = right ]
{nv}
echo all-ok
"""
# A file that is one step behind goes on from the NV memory; an older one is refused, and one that
# was counted on without it.
WITH_NV = """
[ $(./counter --nv nv) = 1 ]
cp nv nv1
[ $(./counter --nv nv) = 2 ]
cp nv1 nv
[ $(./counter --nv nv) = 3 ]
cp nv1 nv
./counter --nv nv 2>&1 | grep "older than the NV memory"
rm nv
./counter --nv nv 2>&1 | grep "older than the NV memory"
[ $(./counter count) = 4 ]
./counter --nv count 2>&1 | grep "newer than the NV memory"
"""


def programs(arch, widths):
    """{path in the guest: bytes} of all examples."""
    files = {}
    for width in widths:
        toolkit.must([os.path.join(ROOT, "sdk/examples/build.sh"), str(width), "-static", "-s"])
        for name in ("counter", "signing-key", "password"):
            with open(os.path.join(toolkit.SDK, "examples/%d" % width, name), "rb") as file:
                files["kept/%d/%s" % (width, name)] = file.read()
    return files


def run(name, arch, files, commands, options):
    made = payload(architecture=arch, work="shell", options=options, extra=INT80,
                   initrd=initrd(name, arch, files, commands))
    made.modules.append((spoiled(name + ".secret", SECRET), "secret"))
    serial = boot(name, arch=arch, source=made, work="programs", seconds=SECONDS)
    no_secrets(serial)
    failure = re.search(r"^NACRE-GUEST: programs failed.*(\n.*){1,6}", serial, re.MULTILINE)
    check(not failure, failure and failure.group())
    return serial


def outcome(serial, width):
    """{name: bytes} of the files that the first boot printed."""
    text = said(serial, width).replace("\n", "")
    found = {}
    for name, after in zip(KEPT, (*KEPT[1:], None)):
        end = "(?=%s:)" % re.escape(after) if after else "$"
        match = re.search(r"%s:([A-Za-z0-9+/=]*?)%s" % (re.escape(name), end), text)
        check(match, "width %d: no file %s: %s" % (width, name, text[-300:]))
        found[name] = base64.b64decode(match.group(1))
    return found


def check_signature(files, width):
    """openssl believes the signature; nacre-verify, that the key lives in the PAL."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**files, "text": b"signed\n"}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)

        def output(*words):
            return subprocess.run(words, cwd=folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False).stdout
        said_of_it = output("openssl", "dgst", "-sha256", "-verify", "key.pub", "-signature",
                            "text.sig", "text")
        check(said_of_it == b"Verified OK\n", "openssl says %s" % said_of_it)
        der = output("openssl", "pkey", "-pubin", "-in", "key.pub", "-outform", "DER")
        said_of_it = output(os.path.join(toolkit.SDK, "bin/nacre-verify"), "--pal",
                            os.path.join(toolkit.SDK, "examples/%d/signing-key" % width),
                            "--nonce", NONCE, "--key", "quote-key", "--data",
                            hashlib.sha256(der).hexdigest(), "evidence")
        check(said_of_it.startswith(b"verified: "), "nacre-verify says %s" % said_of_it)


def examples(name, arch, widths):
    files = programs(arch, widths)
    owner = toolkit.measure(os.path.join(toolkit.SDK, "examples/%d/counter" % widths[0]))[0]
    commands = {str(width): FIRST.format(width=width, nonce=NONCE, names=" ".join(KEPT))
                for width in widths}
    serial = run(name + "-1", arch, files, commands, OPTIONS)
    for width in widths:
        kept = outcome(serial, width)
        check_signature(kept, width)
        for what in ("count", "key", "hash"):
            files["kept/%d/%s" % (width, what)] = kept[what]
        files["kept/%d/text.sig.before" % width] = kept["text.sig"]
    commands = {str(width): SECOND.format(width=width, nv=WITH_NV if width == widths[0] else "")
                for width in widths}
    serial = run(name + "-2", arch, files, commands, OPTIONS + " nv-owner=" + owner.hex())
    for width in widths:
        check("all-ok" in said(serial, str(width)), "width %d: %s" % (width,
                                                                      said(serial, str(width))))


def test_examples_amd64():
    examples("examples-amd64", "amd64", [64, 32])


def test_examples_i386():
    examples("examples-i386", "i386", [32])
