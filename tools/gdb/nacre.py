"""GDB commands that show the hypervisor's CPUs, vCPUs and stacks.

    gdb -x tools/gdb/nacre.py -ex 'nacre symbols' -ex 'target remote :1234'

    nacre symbols [ELF]   symbols of an image, by default of the newest that was built
    nacre cpus            each CPU: where it is, its stack, its guest
    nacre vmcs [CPU]      each vCPU: what the hypervisor keeps of it
    nacre stack           each stack: bytes in use now, deepest so far, computed, size

The image runs at the addresses that it was linked for, wherever a loader puts it, so no offset is
needed; before it runs they are not mapped: use hbreak, not break. Fields that only the VMCS holds
cannot be read, because that takes VMREAD on the CPU itself; the guest's RIP is shown when the CPU
is in the guest, or was when a panic stopped it.

Works with QEMU's stub (-gdb tcp::1234). QEMU's software CPU has no VMX: with it, images run up to
the refusal, or with KVM on nested VMX. Debian's Bochs has a debugger of its own and no stub.
"""
import glob
import os
import struct

import gdb

# Here: GDB takes the name away once it has read the file.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE_VIRTUAL = 0xffffffff80000000  # platform/x86_64/layout.h
STACK_PAINT = struct.pack("<Q", 0xc0dedbadc0dedbad)  # platform/x86_64/percpu.h
PAGE_BYTES = 4096
PER_CPU = ("main", "NMI", "#DF", "#MC")  # enum stack_kind
VMX_VCPU_TAG = 0x5550435665726361  # libvmx/include/vmx/vcpu.h
ACTIVITIES = ("none yet", "waits for its start-up IPI", "runs", "DAMAGED")  # hw/boot.h


def number(expression):
    return int(gdb.parse_and_eval(expression)) & 0xffffffffffffffff


def address_of(symbol):
    return number("(unsigned long)&" + symbol)


def symbol_at(address):
    """function+offset, '?' outside the image."""
    text = gdb.execute("info symbol 0x%x" % address, to_string=True)
    words = text.split(" in section")[0].split(" + ")
    if "No symbol" in text:
        return "?"
    return "%s+0x%x" % (words[0], int(words[1]) if len(words) > 1 else 0)


class Thread:
    """One CPU as the stub shows it."""

    def __init__(self, thread):
        self.thread = thread
        thread.switch()
        self.rip, self.rsp = number("$rip"), number("$rsp")
        self.in_hypervisor = self.rip >= IMAGE_VIRTUAL
        self.cpu = self._index() if self.in_hypervisor else None

    def _index(self):
        """Which element of percpu[] its GS base points to; None before that was set."""
        size = number("sizeof(struct percpu)")
        offset = number("$gs_base") - address_of("percpu")
        return offset // size if 0 <= offset < number("sizeof(percpu)") else None


def threads():
    """All CPUs; selects one that executes the hypervisor, whose mappings memory is read through."""
    found = [Thread(thread) for thread in
             sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)]
    inside = [thread for thread in found if thread.in_hypervisor]
    if not inside:
        raise gdb.GdbError("no CPU executes the hypervisor now, so its memory cannot be seen")
    inside[0].thread.switch()
    return found


def stack_ranges(cpu):
    """[(name, bottom, top)] of a CPU; the interrupt stacks' tops are in its TSS."""
    size = {name: number("'stacks.c'::stack_bytes[%d]" % kind)
            for kind, name in enumerate(PER_CPU)}
    tops = {name: number("percpu[%d].tss.ist[%d]" % (cpu, at))
            for at, name in enumerate(PER_CPU[1:])}
    tops["main"] = tops["NMI"] - size["NMI"] - PAGE_BYTES
    ranges = [(name, tops[name] - size[name], tops[name]) for name in PER_CPU]
    if cpu == 0:
        ranges.append(("boot", address_of("boot_stack"), address_of("boot_stack_top")))
    return ranges


def computed(kind):
    memory = gdb.selected_inferior().read_memory(address_of("nacre_stack_computed") + 4 * kind, 4)
    return struct.unpack("<I", memory)[0]


def deepest(bottom, top):
    memory = bytes(gdb.selected_inferior().read_memory(bottom, top - bottom))
    at = 0
    while memory[at:at + 8] == STACK_PAINT:
        at += 8
    return len(memory) - at


def online():
    """Indices of the CPUs that the hypervisor has started."""
    count = number("sizeof(percpu)") // number("sizeof(struct percpu)")
    return [cpu for cpu in range(count) if number("percpu[%d].online" % cpu)]


def stack_text(cpu, rsp):
    for name, bottom, top in stack_ranges(cpu):
        if bottom - PAGE_BYTES <= rsp <= top:
            return "%s stack %d of %d bytes" % (name, top - rsp, top - bottom)
    return "no stack of this CPU"


def guest_text(thread):
    if not thread.in_hypervisor:
        return "rip=0x%x now" % thread.rip
    state = "percpu[%d].guest" % thread.cpu
    if number("percpu[%d].stopped" % thread.cpu):
        return "at the panic: %s, rip=0x%x cr3=0x%x" % (
            ACTIVITIES[number(state + ".activity")], number(state + ".rip"),
            number(state + ".cr3"))
    vcpu = "nacre.cpu[%d].vcpu" % thread.cpu
    if number(vcpu + ".tag") == 0:
        return "none yet"
    return "parked" if number(vcpu + ".parked") else "stopped in an exit"


def show_cpus():
    for thread in threads():
        if thread.in_hypervisor and thread.cpu is not None:
            print("CPU %d: 0x%x %s, %s; guest: %s" % (
                thread.cpu, thread.rip, symbol_at(thread.rip),
                stack_text(thread.cpu, thread.rsp), guest_text(thread)))
        elif thread.in_hypervisor:
            print("thread %d: 0x%x %s, starting" % (thread.thread.num, thread.rip,
                                                    symbol_at(thread.rip)))
        else:
            print("thread %d: 0x%x, not in the hypervisor" % (thread.thread.num, thread.rip))


def show_vmcs(cpus):
    threads()
    for cpu in cpus or range(number("nacre.table.count")):
        vcpu = "nacre.cpu[%d].vcpu" % cpu
        tag = number(vcpu + ".tag")
        if tag == 0:
            print("vCPU %d: not made yet" % cpu)
            continue
        good = tag == VMX_VCPU_TAG ^ address_of(vcpu) and number(vcpu + ".cpu") == cpu
        flags = [name for name in ("launched", "parked", "nmi_pending", "nmi_held", "triple_fault")
                 if number("%s.%s" % (vcpu, name))]
        controls = " ".join("%s=0x%x" % (name, number("%s.controls.%s" % (vcpu, name)))
                            for name in ("pin", "proc", "proc2", "exit", "entry"))
        counts = gdb.parse_and_eval(vcpu + ".exits")
        low, high = counts.type.range()
        exits = " ".join("%d:%d" % (reason, int(counts[reason]))
                         for reason in range(low, high + 1) if int(counts[reason]))
        print("vCPU %d: tag %s, vmcs=0x%x, %s" % (
            cpu, "good" if good else "WRONG", number("nacre.cpu[%d].vmcs.v" % cpu),
            " ".join(flags) or "never launched"))
        print("  controls: %s nested_root=0x%x vpid=%d" % (
            controls, number(vcpu + ".nested_root"), number(vcpu + ".vpid")))
        print("  pending event: 0x%x; exits by basic reason: %s" % (
            number(vcpu + ".event.info"), exits or "none"))


def show_stack():
    now = {thread.cpu: thread.rsp for thread in threads()}
    for cpu in online():
        for kind, (name, bottom, top) in enumerate(stack_ranges(cpu)):
            inside = bottom < now.get(cpu, 0) <= top
            print("CPU %d %s: now=%d deepest=%d computed=%d size=%d at 0x%x" % (
                cpu, name, top - now[cpu] if inside else 0, deepest(bottom, top), computed(kind),
                top - bottom, bottom))


def load_symbols(words):
    built = sorted(glob.glob(os.path.join(ROOT, "build", "*-*", "nacre-*.elf")),
                   key=os.path.getmtime)
    if not words and not built:
        raise gdb.GdbError("no image was built yet; name one: nacre symbols ELF")
    path = words[0] if words else built[-1]
    gdb.execute("file " + path, to_string=True)
    print("symbols of %s" % path)


class Nacre(gdb.Command):
    """Nacre's CPUs, vCPUs and stacks: nacre symbols [ELF] | cpus | vmcs [CPU] | stack"""

    def __init__(self):
        super().__init__("nacre", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        selected = gdb.selected_thread()
        try:
            if words[:1] == ["symbols"]:
                load_symbols(words[1:])
            elif words == ["cpus"]:
                show_cpus()
            elif words[:1] == ["vmcs"]:
                show_vmcs([int(word, 0) for word in words[1:]])
            elif words == ["stack"]:
                show_stack()
            else:
                raise gdb.GdbError("nacre symbols [ELF] | cpus | vmcs [CPU] | stack")
        finally:
            if selected is not None and selected.is_valid():
                selected.switch()


Nacre()
