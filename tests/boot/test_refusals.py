"""Machines and inputs that Nacre must refuse with one clear line (REQ-BOOT-8, REQ-MEM-4)."""
from bochs import BIOS
from harness import (BOOT_SECONDS, Bochs, Payload, check, guest, image, nothing_to_boot, payload,
                     refusal, spoiled)
from qemu import Qemu

# Where Bochs's BIOS puts the MADT of a machine with 256 MiB and one CPU.
MADT_ADDRESS = 0xFFF0F70
# How that BIOS locks IA32_FEATURE_CONTROL with VMX on: rdmsr; or eax, 5; wrmsr (twice: with and
# without an operand-size prefix), and the same with only the lock bit.
VMX_ON, VMX_OFF = b"\x83\xc8\x05", b"\x83\xc8\x01"


def kernel_bytes():
    return guest.initramfs.contents(guest.kernels.ensure("amd64")[0])


def test_cpu_without_vmx_64bit():
    refusal(Bochs("p4-64", nothing_to_boot(), model="p4_prescott_celeron_336"), r"VMX")


def test_cpu_without_vmx_32bit():
    refusal(Bochs("p4", nothing_to_boot(), model="p4_willamette"), r"64-bit|VMX")


def test_cpu_atom():
    refusal(Bochs("atom", nothing_to_boot(), model="atom_n270"), r"64-bit|VMX")


def test_cpu_amd():
    refusal(Bochs("ryzen", nothing_to_boot(), model="ryzen"), r"VMX")


def test_cpu_without_ept():
    refusal(Bochs("penryn", nothing_to_boot(), model="core2_penryn_t9600"), r"EPT")


def test_cpu_without_unrestricted_guest():
    refusal(Bochs("lynnfield", nothing_to_boot(), model="corei5_lynnfield_750"), r"nrestricted")


def test_vmx_locked_off_by_firmware():
    rom = guest.initramfs.contents(BIOS)
    check(rom.count(VMX_ON) == 2, "the BIOS does not lock IA32_FEATURE_CONTROL as expected")
    bios = spoiled("bios-vmx-off", rom.replace(VMX_ON, VMX_OFF))
    refusal(Bochs("locked", nothing_to_boot(), bios=bios), r"firmware")


def test_qemu_without_vmx():
    refusal(Qemu("qemu", nothing_to_boot()), r"VMX")


def test_no_kernel():
    refusal(Bochs("no-kernel", nothing_to_boot("boot=direct")), r"no kernel module", before=2)


def test_kernel_truncated():
    path = spoiled("kernel-truncated", kernel_bytes()[:1 << 20])
    refusal(Bochs("truncated", payload(kernel=path)), r"truncated", before=2)


def test_kernel_garbage():
    path = spoiled("kernel-garbage", bytes(range(256)) * 400)
    refusal(Bochs("garbage", payload(kernel=path)), r"kernel module", before=2)


def test_kernel_short():
    path = spoiled("kernel-short", b"short")
    refusal(Bochs("short", payload(kernel=path)), r"too short", before=2)


def guest_says(name, source, text):
    """The guest itself stops with its own clear message; Nacre goes on."""
    with Bochs(name, source) as machine:
        machine.wait(text, BOOT_SECONDS)
        machine.settle(1)
        check("nacre: PANIC" not in machine.serial and machine.process.poll() is None,
              machine.report("Nacre did not survive"))


def test_initrd_garbage():
    path = spoiled("initrd-garbage", b"no archive " * 10000)
    guest_says("bad-initrd", payload(initrd=path), r"Kernel panic - not syncing: .*(root|init)")


def test_no_initrd():
    medium = Payload(image(), "", guest.kernels.ensure("amd64")[0], guest.cmdline())
    guest_says("no-initrd", medium, r"Kernel panic - not syncing: .*(root|init)")


def test_guest_memory_too_small():
    refusal(Bochs("mem", payload(options="mem=24M")), r"memory|RAM", before=2)


def test_machine_memory_too_small():
    refusal(Bochs("tiny", nothing_to_boot(), memory_mb=6), r"too little memory")


def test_too_many_cpus():
    refusal(Bochs("nine", nothing_to_boot(), cpus=9), r"9 CPUs.*CONFIG_MAX_CPUS")


def test_acpi_damaged():
    """A MADT whose checksum is wrong, and with it every structure that it lists."""
    medium = payload()
    medium.before = ["write_byte 0x%x 0xff" % (MADT_ADDRESS + offset) for offset in (44, 45)]
    refusal(Bochs("acpi", medium), r"firmware")


def test_unknown_option():
    refusal(Bochs("option", nothing_to_boot("foo")), r"unknown option 'foo'")


def test_bad_option_value():
    refusal(Bochs("value", nothing_to_boot("drive=0x100")), r"'drive=0x100'.*drive=")
