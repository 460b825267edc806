/* Guest instructions but control registers and memory: when each exits, and what it does if not. */
#include "internal.h"

#define CYCLES_PER_INSTRUCTION 100

struct fake_cpu *guest_begin(struct fake_guest *guest)
{
    struct fake_cpu *cpu = fake_cpu(guest->cpu);
    if (!cpu->in_guest || cpu->index != hw_this_cpu()) {
        fake_misuse("a guest instruction of CPU %u outside its guest", guest->cpu);
    }
    guest_wait(cpu);
    guest_boundary(cpu);
    return cpu;
}

void guest_retire(struct fake_cpu *cpu, uint32_t instruction_bytes)
{
    bool is_64 =
        (fake_msr_raw(cpu, MSR_EFER) & EFER_LMA) && (guest_field(cpu, F_GUEST_CS_RIGHTS) & 0x2000);
    uint64_t rip = guest_field(cpu, F_GUEST_RIP) + instruction_bytes;
    guest_field_set(cpu, F_GUEST_RIP, is_64 ? rip : rip & 0xffffffff);
    uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
    guest_field_set(cpu, F_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
    fake_tick(CYCLES_PER_INSTRUCTION);
    if (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_MTF) {
        struct exit_info info = {.reason = REASON_MTF};
        guest_leave(cpu, &info);
    }
}

void guest_instruction_exit(struct fake_cpu *cpu, uint32_t reason, uint64_t qualification,
                            uint32_t instruction_bytes)
{
    struct exit_info info = {
        .reason = reason,
        .qualification = qualification,
        .instruction_length = instruction_bytes,
        .has_length = instruction_bytes != 0,
    };
    guest_leave(cpu, &info);
}

unsigned guest_cpl(struct fake_cpu *cpu)
{
    if (!(guest_field(cpu, F_GUEST_CR0) & CR0_PE)) {
        return 0;
    }
    if (guest_field(cpu, F_GUEST_RFLAGS) & RFLAGS_VM) {
        return 3;
    }
    return (unsigned)bits_get(guest_field(cpu, F_GUEST_SS_RIGHTS), 5, 2);
}

uint64_t guest_register(struct fake_cpu *cpu, enum hw_gpr gpr)
{
    return gpr == HW_RSP ? guest_field(cpu, F_GUEST_RSP) : cpu->guest.gprs->gpr[gpr];
}

void guest_register_set(struct fake_cpu *cpu, enum hw_gpr gpr, uint64_t value)
{
    if (gpr == HW_RSP) {
        guest_field_set(cpu, F_GUEST_RSP, value);
    } else {
        cpu->guest.gprs->gpr[gpr] = value;
    }
}

static bool exception_exits(struct fake_cpu *cpu, unsigned vector, uint32_t error_code)
{
    bool in_bitmap = guest_field(cpu, F_EXCEPTION_BITMAP) & BIT(vector);
    if (vector != 14) {
        return in_bitmap;
    }
    bool matches =
        (error_code & guest_field(cpu, F_PAGE_FAULT_MASK)) == guest_field(cpu, F_PAGE_FAULT_MATCH);
    return matches == in_bitmap;
}

bool guest_fault(struct fake_cpu *cpu, unsigned vector, bool has_error_code, uint32_t error_code,
                 uint64_t linear_address)
{
    uint32_t type = vector == 3 || vector == 4 ? 6 : 3;
    bool with_code = has_error_code && (guest_field(cpu, F_GUEST_CR0) & CR0_PE);
    uint32_t event = (uint32_t)BIT(31) | type << 8 | vector | (with_code ? 0x800 : 0);
    if (exception_exits(cpu, vector, error_code)) {
        struct exit_info info = {
            .reason = REASON_EXCEPTION_NMI,
            .qualification = vector == 14 ? linear_address : 0,
            .interruption = event,
            .error_code = error_code,
            .has_length = type == 6,
            .instruction_length = 1,
        };
        guest_leave(cpu, &info);
    }
    if (vector == 14) {
        cpu->cr2 = linear_address;
    }
    guest_deliver(cpu, event, error_code, false);
    return false;
}

static bool general_protection(struct fake_cpu *cpu)
{
    return guest_fault(cpu, 13, true, 0, 0);
}

bool fake_guest_raise(struct fake_guest *guest, unsigned vector, bool has_error_code,
                      uint32_t error_code)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t linear = cpu->fake_linear == NO_ADDRESS ? 0 : cpu->fake_linear;
    cpu->fake_linear = NO_ADDRESS;
    return guest_fault(cpu, vector, has_error_code, error_code, linear);
}

bool fake_guest_cpuid(struct fake_guest *guest, uint32_t leaf, uint32_t subleaf)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RAX] = leaf;
    guest->gprs->gpr[HW_RCX] = subleaf;
    guest_instruction_exit(cpu, REASON_CPUID, 0, 2);
}

/* SDM "MSR-Bitmap Address": read low, read high, write low, write high, 1 KiB each. */
static bool msr_exits(struct fake_cpu *cpu, uint32_t msr, bool is_write)
{
    if (!(guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_MSR_BITMAPS)) {
        return true;
    }
    bool high = msr >= 0xc0000000u && msr <= 0xc0001fffu;
    if (msr > 0x1fff && !high) {
        return true;
    }
    uint64_t address = guest_field(cpu, F_MSR_BITMAPS) + (is_write ? 2048 : 0) + (high ? 1024 : 0) +
                       (msr & 0x1fff) / 8;
    const uint8_t *byte = fake_backing(address, 1);
    return !byte || (*byte >> (msr & 7) & 1);
}

bool fake_guest_rdmsr(struct fake_guest *guest, uint32_t msr, uint64_t *value)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RCX] = msr;
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if (msr_exits(cpu, msr, false)) {
        guest_instruction_exit(cpu, REASON_RDMSR, 0, 2);
    }
    if (!fake_cpu_rdmsr(cpu, msr, value)) {
        return general_protection(cpu);
    }
    guest->gprs->gpr[HW_RAX] = (uint32_t)*value;
    guest->gprs->gpr[HW_RDX] = *value >> 32;
    guest_retire(cpu, 2);
    return true;
}

bool fake_guest_wrmsr(struct fake_guest *guest, uint32_t msr, uint64_t value)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RCX] = msr;
    guest->gprs->gpr[HW_RAX] = (uint32_t)value;
    guest->gprs->gpr[HW_RDX] = value >> 32;
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if (msr_exits(cpu, msr, true)) {
        guest_instruction_exit(cpu, REASON_WRMSR, 0, 2);
    }
    if (!fake_cpu_wrmsr(cpu, msr, value)) {
        return general_protection(cpu);
    }
    guest_retire(cpu, 2);
    return true;
}

/* CPUID.OSXSAVE of the guest is not looked at: CR4.OSXSAVE itself decides. */
bool fake_guest_xsetbv(struct fake_guest *guest, uint32_t index, uint64_t value)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RCX] = index;
    guest->gprs->gpr[HW_RAX] = (uint32_t)value;
    guest->gprs->gpr[HW_RDX] = value >> 32;
    if (!(guest_field(cpu, F_GUEST_CR4) & CR4_OSXSAVE)) {
        return guest_fault(cpu, 6, false, 0, 0);
    }
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    guest_instruction_exit(cpu, REASON_XSETBV, 0, 3);
}

void fake_guest_vmcall(struct fake_guest *guest)
{
    guest_instruction_exit(guest_begin(guest), REASON_VMCALL, 0, 3);
}

void fake_guest_vmx_instruction(struct fake_guest *guest, uint32_t exit_reason)
{
    guest_instruction_exit(guest_begin(guest), exit_reason, 0, 3);
}

void fake_guest_hlt(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    if (guest_cpl(cpu) != 0) {
        general_protection(cpu);
        return;
    }
    if (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_HLT) {
        guest_instruction_exit(cpu, REASON_HLT, 0, 1);
    }
    guest_retire(cpu, 1);
    guest_field_set(cpu, F_ACTIVITY, ACTIVITY_HLT);
    guest_wait(cpu);
}

bool fake_guest_invd(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    guest_instruction_exit(cpu, REASON_INVD, 0, 2);
}

bool fake_guest_wbinvd(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if (vmx_secondary(cpu->current) & SECONDARY_WBINVD) {
        guest_instruction_exit(cpu, REASON_WBINVD, 0, 2);
    }
    guest_retire(cpu, 2);
    return true;
}

bool fake_guest_rdtsc(struct fake_guest *guest, uint64_t *value)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t primary = guest_field(cpu, F_PRIMARY_CONTROLS);
    if (primary & PRIMARY_RDTSC) {
        guest_instruction_exit(cpu, REASON_RDTSC, 0, 2);
    }
    uint64_t offset = primary & PRIMARY_TSC_OFFSET ? guest_field(cpu, F_TSC_OFFSET) : 0;
    *value = fake_tsc() + offset;
    guest_retire(cpu, 2);
    return true;
}

bool fake_guest_mov_dr(struct fake_guest *guest, unsigned dr, enum hw_gpr gpr, bool to_dr)
{
    struct fake_cpu *cpu = guest_begin(guest);
    if (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_MOV_DR) {
        uint64_t qualification = dr | (to_dr ? 0 : 0x10) | (uint64_t)gpr << 8;
        guest_instruction_exit(cpu, REASON_DR, qualification, 3);
    }
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if (to_dr) {
        cpu->dr[dr & 7] = guest_register(cpu, gpr);
    } else {
        guest_register_set(cpu, gpr, cpu->dr[dr & 7]);
    }
    guest_retire(cpu, 3);
    return true;
}

void fake_guest_iret(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint32_t pin = (uint32_t)guest_field(cpu, F_PIN_CONTROLS);
    if (!(pin & PIN_NMI) || (pin & PIN_VIRTUAL_NMI)) {
        uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
        guest_field_set(cpu, F_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKING_NMI);
    }
    guest_retire(cpu, 2);
}

void fake_guest_sti(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t rflags = guest_field(cpu, F_GUEST_RFLAGS);
    guest_retire(cpu, 1);
    if (!(rflags & RFLAGS_IF)) {
        uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
        guest_field_set(cpu, F_GUEST_RFLAGS, rflags | RFLAGS_IF);
        guest_field_set(cpu, F_INTERRUPTIBILITY, state | BLOCKING_STI);
    }
}

void fake_guest_triple_fault(struct fake_guest *guest)
{
    guest_instruction_exit(guest_begin(guest), REASON_TRIPLE_FAULT, 0, 0);
}

void fake_guest_exit(struct fake_guest *guest, uint32_t reason, uint64_t qualification,
                     uint32_t instruction_bytes)
{
    guest_instruction_exit(guest_begin(guest), reason, qualification, instruction_bytes);
}

void fake_guest_run(struct fake_guest *guest, uint64_t cycles)
{
    for (uint64_t done = 0; done < cycles; done += CYCLES_PER_INSTRUCTION) {
        guest_retire(guest_begin(guest), 0);
    }
}
