/* The guest's moves to and from control registers, with masks, shadows and mode switches. */
#include "internal.h"

#define ACCESS_TO 0u
#define ACCESS_FROM 1u
#define ACCESS_CLTS 2u
#define ACCESS_LMSW 3u
#define CR0_DEFINED (0x3fULL | BIT(16) | BIT(18) | CR0_NW | CR0_CD | CR0_PG)

static _Noreturn void cr_exit(struct fake_cpu *cpu, unsigned cr, unsigned access, enum hw_gpr gpr,
                              uint16_t source)
{
    uint64_t qualification =
        cr | (uint64_t)access << 4 | (uint64_t)gpr << 8 | (uint64_t)source << 16;
    guest_instruction_exit(cpu, REASON_CR, qualification, access == ACCESS_CLTS ? 2 : 3);
}

static bool general_protection(struct fake_cpu *cpu)
{
    return guest_fault(cpu, 13, true, 0, 0);
}

/* Loads the four PDPTEs of PAE paging; false if one has a reserved bit. */
static bool pdptes_load(struct fake_cpu *cpu, uint64_t cr3)
{
    uint64_t pdpte[4], table = cr3 & 0xffffffe0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t at = guest_translate(cpu, table + 8 * i, ACCESS_READ, NO_ADDRESS, true);
        guest_copy(at, &pdpte[i], 8, false);
        if ((pdpte[i] & 1) && (pdpte[i] & (0x1e6 | bits_mask(fake_maxphyaddr(), 64)))) {
            return false;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        guest_field_set(cpu, F_GUEST_PDPTE0 + 2 * i, pdpte[i]);
    }
    return true;
}

static bool is_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* CR0.PG going up or down takes EFER.LMA along (SDM "Initializing IA-32e Mode"). */
static bool switch_mode(struct fake_cpu *cpu, uint64_t cr0, uint64_t *efer)
{
    uint64_t cr4 = guest_field(cpu, F_GUEST_CR4);
    uint64_t old = guest_field(cpu, F_GUEST_CR0);
    bool is_long_code = guest_field(cpu, F_GUEST_CS_RIGHTS) & 0x2000;
    *efer = guest_field(cpu, F_GUEST_EFER);
    if (!((old ^ cr0) & CR0_PG)) {
        return true;
    }
    if (cr0 & CR0_PG) {
        if (*efer & EFER_LME) {
            if (!(cr4 & CR4_PAE) || is_long_code) {
                return false;
            }
            *efer |= EFER_LMA;
        }
    } else {
        if ((*efer & EFER_LMA) && is_long_code) {
            return false;
        }
        if (cr4 & CR4_PCIDE) {
            return false;
        }
        *efer &= ~EFER_LMA;
    }
    return true;
}

static bool load_cr0(struct fake_cpu *cpu, uint64_t value)
{
    uint64_t old = guest_field(cpu, F_GUEST_CR0), efer;
    bool unrestricted = vmx_secondary(cpu->current) & SECONDARY_UNRESTRICTED;
    if (fake_cr0_error(value)) {
        return false;
    }
    value = (value & CR0_DEFINED) | CR0_ET;
    if (!fake_cr_vmx_fixed(0, value, unrestricted ? CR0_PE | CR0_PG : 0) ||
        !switch_mode(cpu, value, &efer)) {
        return false;
    }
    uint64_t cr4 = guest_field(cpu, F_GUEST_CR4);
    bool reload = is_pae(value, cr4, efer) && ((value ^ old) & (CR0_PG | CR0_CD | CR0_NW));
    if (reload && !pdptes_load(cpu, guest_field(cpu, F_GUEST_CR3))) {
        return false;
    }
    guest_field_set(cpu, F_GUEST_EFER, efer);
    guest_field_set(cpu, F_GUEST_CR0, value);
    tlb_drop_linear(cpu, guest_vpid(cpu));
    return true;
}

static bool load_cr4(struct fake_cpu *cpu, uint64_t value)
{
    uint64_t old = guest_field(cpu, F_GUEST_CR4), cr0 = guest_field(cpu, F_GUEST_CR0);
    uint64_t efer = guest_field(cpu, F_GUEST_EFER), cr3 = guest_field(cpu, F_GUEST_CR3);
    bool is_long = efer & EFER_LMA;
    bool pcid_on = (value & ~old) & CR4_PCIDE;
    if (fake_cr4_error(value) || !fake_cr_vmx_fixed(4, value, 0) ||
        (is_long && !(value & CR4_PAE)) || (pcid_on && (!is_long || (cr3 & 0xfff)))) {
        return false;
    }
    uint64_t reloading = CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP;
    if (is_pae(cr0, value, efer) && ((value ^ old) & reloading) && !pdptes_load(cpu, cr3)) {
        return false;
    }
    guest_field_set(cpu, F_GUEST_CR4, value);
    tlb_drop_linear(cpu, guest_vpid(cpu));
    return true;
}

static bool cr3_is_target(struct fake_cpu *cpu, uint64_t value)
{
    uint64_t count = guest_field(cpu, F_CR3_TARGET_COUNT);
    for (uint64_t i = 0; i < count && i < 4; i++) {
        if (guest_field(cpu, F_CR3_TARGET0 + 2 * (uint32_t)i) == value) {
            return true;
        }
    }
    return false;
}

static bool load_cr3(struct fake_cpu *cpu, uint64_t value, enum hw_gpr from)
{
    uint64_t cr0 = guest_field(cpu, F_GUEST_CR0), cr4 = guest_field(cpu, F_GUEST_CR4);
    uint64_t efer = guest_field(cpu, F_GUEST_EFER);
    bool exiting = guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_CR3_LOAD;
    if (exiting && !cr3_is_target(cpu, value)) {
        cr_exit(cpu, 3, ACCESS_TO, from, 0);
    }
    bool no_flush = (value & BIT(63)) && (cr4 & CR4_PCIDE);
    value = no_flush ? value & ~BIT(63) : value;
    if ((efer & EFER_LMA) && value >> fake_maxphyaddr()) {
        return false;
    }
    if (is_pae(cr0, cr4, efer) && !pdptes_load(cpu, value)) {
        return false;
    }
    guest_field_set(cpu, F_GUEST_CR3, value);
    tlb_drop_linear(cpu, guest_vpid(cpu));
    return true;
}

/* Bits owned by the host keep their value; a change of one against the shadow exits. */
static bool load_masked(struct fake_cpu *cpu, unsigned cr, uint64_t value, enum hw_gpr from)
{
    uint64_t mask = guest_field(cpu, cr == 0 ? F_CR0_MASK : F_CR4_MASK);
    uint64_t shadow = guest_field(cpu, cr == 0 ? F_CR0_SHADOW : F_CR4_SHADOW);
    uint64_t real = guest_field(cpu, cr == 0 ? F_GUEST_CR0 : F_GUEST_CR4);
    if ((value ^ shadow) & mask) {
        cr_exit(cpu, cr, ACCESS_TO, from, 0);
    }
    value = (value & ~mask) | (real & mask);
    return cr == 0 ? load_cr0(cpu, value) : load_cr4(cpu, value);
}

bool fake_guest_mov_to_cr(struct fake_guest *guest, unsigned cr, enum hw_gpr from)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t value = guest_register(cpu, from);
    bool done = false;
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    switch (cr) {
    case 0:
    case 4:
        done = load_masked(cpu, cr, value, from);
        break;
    case 2:
        cpu->cr2 = value;
        done = true;
        break;
    case 3:
        done = load_cr3(cpu, value, from);
        break;
    case 8:
        if (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_CR8_LOAD) {
            cr_exit(cpu, 8, ACCESS_TO, from, 0);
        }
        done = value <= 15;
        cpu->cr8 = done ? value : cpu->cr8;
        break;
    default:
        return guest_fault(cpu, 6, false, 0, 0);
    }
    if (!done) {
        return general_protection(cpu);
    }
    guest_retire(cpu, 3);
    return true;
}

bool fake_guest_mov_from_cr(struct fake_guest *guest, unsigned cr, enum hw_gpr to)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t primary = guest_field(cpu, F_PRIMARY_CONTROLS), value, mask;
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if ((cr == 3 && (primary & PRIMARY_CR3_STORE)) || (cr == 8 && (primary & PRIMARY_CR8_STORE))) {
        cr_exit(cpu, cr, ACCESS_FROM, to, 0);
    }
    switch (cr) {
    case 0:
        mask = guest_field(cpu, F_CR0_MASK);
        value = (guest_field(cpu, F_GUEST_CR0) & ~mask) | (guest_field(cpu, F_CR0_SHADOW) & mask);
        break;
    case 4:
        mask = guest_field(cpu, F_CR4_MASK);
        value = (guest_field(cpu, F_GUEST_CR4) & ~mask) | (guest_field(cpu, F_CR4_SHADOW) & mask);
        break;
    case 2:
        value = cpu->cr2;
        break;
    case 3:
        value = guest_field(cpu, F_GUEST_CR3);
        break;
    case 8:
        value = cpu->cr8;
        break;
    default:
        return guest_fault(cpu, 6, false, 0, 0);
    }
    guest_register_set(cpu, to, value);
    guest_retire(cpu, 3);
    return true;
}

bool fake_guest_clts(struct fake_guest *guest)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t mask = guest_field(cpu, F_CR0_MASK), shadow = guest_field(cpu, F_CR0_SHADOW);
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    if (mask & shadow & CR0_TS) {
        cr_exit(cpu, 0, ACCESS_CLTS, HW_RAX, 0);
    }
    if (!(mask & CR0_TS)) {
        guest_field_set(cpu, F_GUEST_CR0, guest_field(cpu, F_GUEST_CR0) & ~CR0_TS);
    }
    guest_retire(cpu, 2);
    return true;
}

bool fake_guest_lmsw(struct fake_guest *guest, uint16_t value)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t mask = guest_field(cpu, F_CR0_MASK), shadow = guest_field(cpu, F_CR0_SHADOW);
    uint64_t real = guest_field(cpu, F_GUEST_CR0), bits = value & 0xe;
    if (guest_cpl(cpu) != 0) {
        return general_protection(cpu);
    }
    /* PE can be set, not cleared. */
    bool sets_pe = (value & 1) && (mask & CR0_PE) && !(shadow & CR0_PE);
    if (sets_pe || ((bits ^ shadow) & mask & 0xe)) {
        cr_exit(cpu, 0, ACCESS_LMSW, HW_RAX, value);
    }
    uint64_t owned = 0xe & ~mask;
    uint64_t cr0 = (real & ~owned) | (bits & owned) | (value & 1 & ~mask);
    if (!load_cr0(cpu, cr0)) {
        return general_protection(cpu);
    }
    guest_retire(cpu, 3);
    return true;
}
