"""Guests that must boot, with their work done and a clean power-off (REQ-BOOT-1, REQ-CR-8)."""
import re

from harness import UP, boot, check, image, payload


def test_amd64_1cpu():
    boot("amd64-1")


def test_amd64_2cpu():
    boot("amd64-2", cpus=2)


def test_amd64_4cpu():
    boot("amd64-4", cpus=4)


def test_amd64_8cpu():
    boot("amd64-8", cpus=8)


def test_i386_1cpu():
    boot("i386-1", arch="i386")


def test_i386_2cpu():
    boot("i386-2", cpus=2, arch="i386")


def test_i386_4cpu():
    boot("i386-4", cpus=4, arch="i386")


def test_hello_app():
    boot("hello", source=payload(image=image("hello")), hello="nacre: hello from a hypapp")


def test_newlib():
    boot("newlib", cpus=2, source=payload(image=image(libc="newlib")))


def test_memory_map_shrinks_by_what_is_hidden():
    """REQ-BOOT-2, direct boot: what mem= keeps back is not the guest's either."""
    serial = boot("mem-limit", source=payload(options="mem=160M"))
    up = re.search(UP, serial, re.MULTILINE)
    check(int(up["mem_kb"]) < 160 * 1024, "guest has %s KiB in spite of mem=160M" % up["mem_kb"])


def test_stress_4cpu():
    """Processes and pipes on all CPUs, and an NMI to each of them (REQ-SMP-3)."""
    work = "stress,nmi"
    boot("stress", cpus=4, work=work)


def test_hotplug_2cpu():
    """A CPU of the guest goes down and comes up again by INIT and SIPI (REQ-SMP-1)."""
    boot("hotplug", cpus=2, work="hotplug")


def test_memory():
    """Most of the guest's memory is written and read back: none of it is the hypervisor's."""
    boot("memory", work="memory", memory_mb=96)
