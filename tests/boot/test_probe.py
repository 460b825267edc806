"""The probe kernel (guests/probe): what a hostile or odd guest may do, on Nacre and bare.

Its last line is 'PROBE: N passed, N failed'. Bare runs check the probes themselves.
"""
import os
import re
import subprocess

from harness import APP, BANNER, ROOT, Bochs, Payload, check, check_banner, check_closing, image
from common import Failure, readable

KERNEL = os.path.join(ROOT, "build", "guests", "probe", "probe")
RESULT = r"^PROBE: (\d+) passed, (\d+) failed\n"
# Without this Bochs answers 0 for MSRs that it does not have.
STRICT = ["cpu: ignore_bad_msrs=0"]
SECONDS = 600  # 8 CPUs on a busy machine


def kernel():
    """Brings the probe kernel up to date."""
    done = subprocess.run(["scons", "-Q", "-C", ROOT, "guests"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, errors="replace")
    if done.returncode != 0:
        raise Failure("the probe kernel was not built: %s" % done.stdout[-2000:])
    return readable(KERNEL, "probe kernel")


def machine(name, words="", cpus=1, bare=False, app=APP, nacre="", **options):
    cmdline = ("cpus=%d %s" % (cpus, words)).strip()
    if not bare and app == APP:  # the others know no such hypercall: it must be #UD
        cmdline = "vmcall=1 " + cmdline
    payload = Payload(None if bare else image(app), nacre, kernel(), cmdline)
    return Bochs(name, payload, cpus=cpus, extra=STRICT, **options)


def check_result(booted):
    """Some probes passed and none failed."""
    passed, failed = map(int, booted.wait(RESULT, SECONDS).groups())
    if failed or not passed:  # a report stops the machine
        faults = re.findall(r"^PROBE: FAIL .*$", booted.serial, re.MULTILINE)
        raise AssertionError(booted.report("\n".join(faults) or "no probe ran"))


def probe(cpus=1, bare=False, **options):
    """All probes, then the power-off."""
    name = "probe%s-%d" % ("-bare" if bare else "", cpus)
    with machine(name, "", cpus, bare, **options) as booted:
        check_result(booted)
        booted.wait_end(30)
        if not bare:
            check_banner(booted, cpus)
            check_closing(booted, cpus)


def ending(word, why, cpus=1):
    """The guest ends itself: one line, the summary, a reset; then the probe finds its mark."""
    with machine("probe-" + word, word, cpus, reset=True) as booted:
        if why:
            booted.wait(r"^nacre: CPU \d+: %s at 0x\w+; resetting the machine\n" % why, SECONDS)
            booted.wait(r"^nacre: summary: exits total=\d+\n", 10)
        end = booted.wait(BANNER, SECONDS).end()
        booted.wait(BANNER, SECONDS, end)
        check_result(booted)
        check("PROBE: ok %s" % word in booted.serial, "the machine did not come back")


def test_probe_1():
    """REQ-BOOT-1, and all that guests/probe/test_*.c name."""
    probe(1)


def test_probe_2():
    probe(2)


def test_probe_4():
    probe(4)


def test_probe_8():
    probe(8)


def test_probe_hello():
    """REQ-MSR-10: a hypercall that the hypapp does not know is #UD."""
    probe(2, app="hello")


def test_probe_isolation():
    """REQ-PAL-6: NMI, INIT and SIPI also while isolated code runs."""
    probe(2, app="isolation")


def test_probe_skylake():
    """REQ-MSR-3: another CPU, with other features; memory above 4 GiB in a range of its own."""
    probe(2, model="corei7_skylake_x")


def test_probe_bare_1():
    probe(1, True)


def test_probe_bare_4():
    probe(4, True)


def test_ending_triple():
    """REQ-SMP-2: the hypervisor's reset comes after its summary, by one line that says why."""
    ending("ending-triple", "triple fault")


def test_ending_injected():
    ending("ending-injected", "triple fault")


def test_ending_page_table():
    ending("ending-cr3", "triple fault")


def test_ending_init():
    ending("ending-init", "the guest sent INIT to its boot CPU")


def test_ending_reset():
    """REQ-BOOT-9"""
    ending("ending-reset", None)


def test_ending_triple_on_another_cpu():
    """Bochs 2.7 comes back from a reset of several CPUs only if CPU 0 did not ask for it."""
    ending("ending-triple2", "triple fault", 2)


def test_pal_budget():
    """An endless PAL ends (REQ-PAL-9)."""
    with machine("probe-budget", "budget-pal", nacre="pal-budget=2") as booted:
        check_result(booted)
        booted.wait_end(30)
        check_closing(booted, 1)


def test_ending_pal():
    """A guest whose CR3 is a page of a PAL (REQ-PAL-5)."""
    ending("ending-pal", "triple fault")


def test_ending_wipe():
    """REQ-PAL-7, REQ-BOOT-9: after a reset nothing of a PAL is left in memory, which is."""
    ending("ending-wipe", None)


def test_ending_loop():
    """REQ-PAL-7: one CPU runs an endless PAL when another one's triple fault ends the guest."""
    ending("ending-loop", "triple fault", 2)


def test_ending_during():
    """REQ-PAL-6: INIT for the boot CPU in a PAL acts at its return (Bochs does not come back)."""
    with machine("probe-during", "ending-during", 2, reset=True) as booted:
        booted.wait(r"^nacre: CPU 0: the guest sent INIT to its boot CPU at 0x80000012; "
                    r"resetting the machine\n", SECONDS)
