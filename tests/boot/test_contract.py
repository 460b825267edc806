"""tests/contract on the real platform, in emulators; `scons unit` runs the same on the fake one."""
import re

from harness import Bochs, Payload, check, image
from qemu import Qemu

# QEMU's software CPU takes every MSR number and value.
NOT_ON_QEMU = {"cpu: a missing MSR is reported", "cpu: a bad MSR value is reported"}


def contract(machine, at_least, exceptions=frozenset()):
    with machine:
        machine.wait(r"^nacre: contract: \d+ passed, \d+ failed$", 60)
        failed = set(re.findall(r"^nacre: contract: FAIL (.*)$", machine.serial, re.MULTILINE))
        passed = re.findall(r"^nacre: contract: ok (.*)$", machine.serial, re.MULTILINE)
        check(failed == exceptions and len(passed) >= at_least,
              machine.report("%d checks passed, failed: %s" % (len(passed), sorted(failed))))


def source():
    return Payload(image("contract"))


def test_contract_bochs():
    contract(Bochs("contract", source(), extra=["cpu: ignore_bad_msrs=0"]), 42)


def test_contract_bochs_avx512():
    """A CPU with AVX-512, protection keys and UMIP, for what isolated code may use and may not."""
    contract(Bochs("contract-avx512", source(), model="corei7_icelake_u",
                   extra=["cpu: ignore_bad_msrs=0"]), 42)


def test_contract_qemu_without_vmx():
    contract(Qemu("contract-qemu", source()), 18, NOT_ON_QEMU)
