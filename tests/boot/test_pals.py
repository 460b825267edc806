"""PALs of both interfaces in booted guests, by clients of both widths (REQ-PAL-1 to REQ-PAL-11).

What each sub-command of guests/linux/pal checks stands at its head. Few boots with much work each:
a machine with four CPUs takes a minute to come up.
"""
import re

from harness import boot, check

OK = r"^NACRE-GUEST: pal-(\w+) ok width=(\d+) checks=(\d+)$"
SUMMARY = r"^nacre: summary: PALs registered=(\d+) total=(\d+)\b"
SECONDS = 1500
CALLS = 10000                           # of each CPU: REQ-PAL-1
# REQ-PAL-2, -3, -5, -7, -8, -9, -10
ALONE = ["pal-basic", "pal-errors", "pal-faults", "pal-vector", "pal-new"]


def check_pals(serial, work, widths):
    """Each sub-command was run by a process of each width, in order; nothing is left registered."""
    wanted = [(re.match(r"pal-(\w+)", item).group(1), str(width)) for item in work
              if item.startswith("pal-") for width in widths]
    seen = [(name, width) for name, width, checks in re.findall(OK, serial, re.MULTILINE)
            if int(checks) > 0]
    check(seen == wanted, "processes said ok: %s, not %s" % (seen, wanted))
    for word in ("pal-\\w+ failed", "pal-\\w+ skipped", "pal-\\w+ leak"):
        found = re.search("^NACRE-GUEST: %s.*" % word, serial, re.MULTILINE)
        check(not found, found and found.group())
    summary = re.search(SUMMARY, serial, re.MULTILINE)
    check(summary, "no line about PALs in the closing summary")
    # What died with its process (pal-death) is removed when its memory is used again, or when
    # registrations are refused: pal-many has such.
    check(int(summary.group(1)) == 0, "%s PALs are left" % summary.group(1))
    check(int(summary.group(2)) > 0, "no PAL was ever registered")


def run(name, work, widths, **options):
    serial = boot(name, work=",".join(work), seconds=SECONDS, **options)
    check_pals(serial, work, widths)
    return serial


def test_pals_amd64_1cpu():
    """Also REQ-PAL-11: all PALs that there can be, and a thousand in a row."""
    run("pals-amd64-1", ALONE + ["pal-many:1000"], [64, 32])


def test_pals_amd64_2cpu():
    """REQ-PAL-7: processes die with PALs; REQ-PAL-5, with another CPU there; REQ-PAL-6: NMIs."""
    run("pals-amd64-2", ["pal-basic", "pal-faults", "pal-storm:@:1000", "palnmi", "pal-death",
                          "pal-many:10"],
        [64, 32], cpus=2)


def test_pals_amd64_4cpu():
    """REQ-PAL-1, REQ-PAL-11: calls on all CPUs at once, while other PALs come and go."""
    run("pals-amd64-4", ["pal-storm:@:%d" % CALLS, "pal-basic"], [64, 32], cpus=4)


def test_pals_i386_1cpu():
    run("pals-i386-1", ALONE + ["pal-death", "pal-many:200"], [32], arch="i386")


def test_pals_i386_4cpu():
    """REQ-PAL-1, from a 32-bit system."""
    run("pals-i386-4", ["pal-storm:@:%d" % CALLS, "palnmi"], [32], arch="i386", cpus=4)
