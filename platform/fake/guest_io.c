/* Port I/O by the guest (SDM "I/O-Bitmap Addresses" and table "Exit Qualification for I/O"). */
#include "internal.h"

#define QUALIFICATION_IN BIT(3)
#define QUALIFICATION_STRING BIT(4)
#define QUALIFICATION_REP BIT(5)

static bool bitmap_bit(struct fake_cpu *cpu, uint32_t port)
{
    uint32_t field = port < 0x8000 ? F_IO_BITMAP_A : F_IO_BITMAP_B;
    const uint8_t *byte = fake_backing(guest_field(cpu, field) + (port & 0x7fff) / 8, 1);
    return !byte || (*byte >> (port & 7) & 1);
}

static bool io_exits(struct fake_cpu *cpu, uint16_t port, unsigned bytes)
{
    uint64_t primary = guest_field(cpu, F_PRIMARY_CONTROLS);
    if (!(primary & PRIMARY_IO_BITMAPS)) {
        return primary & PRIMARY_UNCONDITIONAL_IO;
    }
    for (unsigned i = 0; i < bytes; i++) {
        if (port + i > 0xffff || bitmap_bit(cpu, port + i)) {
            return true; /* an access that wraps around exits too */
        }
    }
    return false;
}

/* CPL above IOPL would consult the guest's TSS, which denies everything here. */
static bool io_denied(struct fake_cpu *cpu)
{
    unsigned iopl = (unsigned)bits_get(guest_field(cpu, F_GUEST_RFLAGS), 12, 2);
    return guest_cpl(cpu) > iopl;
}

static bool io(struct fake_guest *guest, uint16_t port, unsigned bytes, bool in)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RDX] = port;
    if (io_denied(cpu)) {
        return guest_fault(cpu, 13, true, 0, 0);
    }
    if (io_exits(cpu, port, bytes)) {
        uint64_t qualification = (bytes - 1) | (in ? QUALIFICATION_IN : 0) | (uint64_t)port << 16;
        guest_instruction_exit(cpu, REASON_IO, qualification, 1);
    }
    return true;
}

bool fake_guest_in(struct fake_guest *guest, uint16_t port, unsigned bytes, uint32_t *value)
{
    if (!io(guest, port, bytes, true)) {
        return false;
    }
    *value = hw_io_read(port, bytes);
    guest_retire(fake_cpu(guest->cpu), 1);
    return true;
}

bool fake_guest_out(struct fake_guest *guest, uint16_t port, unsigned bytes, uint32_t value)
{
    uint64_t mask = bits_mask(0, 8 * bytes);
    guest->gprs->gpr[HW_RAX] = (guest->gprs->gpr[HW_RAX] & ~mask) | (value & mask);
    if (!io(guest, port, bytes, false)) {
        return false;
    }
    hw_io_write(port, bytes, value);
    guest_retire(fake_cpu(guest->cpu), 1);
    return true;
}

void fake_guest_string_io(struct fake_guest *guest, uint16_t port, unsigned bytes, bool in,
                          bool rep, uint64_t linear_address)
{
    struct fake_cpu *cpu = guest_begin(guest);
    guest->gprs->gpr[HW_RDX] = port;
    if (!io_exits(cpu, port, bytes)) {
        fake_misuse("string I/O to port %#x that does not exit is not modelled", port);
    }
    struct exit_info info = {
        .reason = REASON_IO,
        .qualification = (bytes - 1) | (in ? QUALIFICATION_IN : 0) | QUALIFICATION_STRING |
                         (rep ? QUALIFICATION_REP : 0) | (uint64_t)port << 16,
        .has_length = true,
        .instruction_length = rep ? 2 : 1,
        .has_linear = true,
        .linear = linear_address,
        /* Address size 64 bits; ES for INS, DS for OUTS. */
        .instruction_information = 2u << 7 | (in ? 0u : 3u) << 15,
    };
    guest_leave(cpu, &info);
}
