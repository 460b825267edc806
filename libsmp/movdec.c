#include <smp/movdec.h>

#include <stddef.h>

#define REX_W 0x8u
#define REX_R 0x4u
#define REX_X 0x2u
#define REX_B 0x1u
/* The even opcode stores one byte, the odd one beside it a whole operand. */
#define OPCODE_REGISTER 0x88u
#define OPCODE_MOFFS 0xa2u
#define OPCODE_IMMEDIATE 0xc6u
/* The longest of the common forms: opcode, ModR/M, SIB, displacement, immediate. */
#define COMMON_BYTES 11
#define FIRST_OPCODE OPCODE_REGISTER

/* What is left of the instruction, and the prefixes before its opcode. */
struct cursor {
    const uint8_t *at, *end;
    unsigned rex; /* WRXB; 0x40 is set when there is one */
    bool operand_override, address_override, segment_override;
};

/* The next 1 to 8 bytes, little-endian, sign-extended; false: the instruction ends before. */
static inline bool take_signed(struct cursor *cursor, unsigned bytes, uint64_t *value)
{
    const uint8_t *at = cursor->at;
    unsigned unused_bits = 64 - 8 * bytes;
    uint64_t raw = 0;

    if (bytes == 0 || (size_t)(cursor->end - at) < bytes) {
        return false;
    }
    cursor->at = at + bytes;
    if (bytes == 4) { /* by far the most frequent */
        *value = (uint64_t)(int32_t)(at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24);
        return true;
    }
    for (unsigned i = 0; i < bytes; i++) {
        raw |= (uint64_t)at[i] << 8 * i;
    }
    *value = (uint64_t)((int64_t)(raw << unused_bits) >> unused_bits);
    return true;
}

static bool set_once(bool *flag)
{
    bool was_set = *flag;
    *flag = true;
    return !was_set;
}

/* Segment overrides except FS and GS mean nothing in 64-bit code (SDM vol. 2, 2.1.1). */
static bool override_segment(struct smp_mov *mov, struct cursor *cursor, unsigned segment)
{
    if (mov->code_bytes != 8 || segment >= SMP_MOV_FS) {
        mov->segment = (uint8_t)segment;
    }
    return set_once(&cursor->segment_override);
}

/* One legacy prefix; false: it is none of ours, or the second of its kind. */
static bool take_prefix(struct smp_mov *mov, struct cursor *cursor, uint8_t byte)
{
    switch (byte) {
    case 0x66:
        return set_once(&cursor->operand_override);
    case 0x67:
        return set_once(&cursor->address_override);
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        return override_segment(mov, cursor, (byte >> 3) & 3);
    case 0x64:
    case 0x65:
        return override_segment(mov, cursor, byte - 0x64u + SMP_MOV_FS);
    default:
        return false;
    }
}

/*
 * Legacy prefixes in any order, then REX; *opcode is the byte after them.  All prefixes are below
 * all opcodes that we know, so the common case, none, costs one comparison.
 */
static inline bool take_prefixes(struct smp_mov *mov, struct cursor *cursor, uint8_t *opcode)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at++;
        if (byte >= FIRST_OPCODE) {
            *opcode = byte;
            return true;
        }
        if (cursor->rex != 0) {
            return false; /* REX is the last one before the opcode */
        }
        if (mov->code_bytes == 8 && (byte & 0xf0) == 0x40) {
            cursor->rex = byte;
        } else if (!take_prefix(mov, cursor, byte)) {
            return false;
        }
    }
    return false;
}

/* A base of (E)SP or (E)BP goes to the stack segment unless overridden (SDM vol. 1, 3.7.4). */
static inline void default_to_stack(struct smp_mov *mov, const struct cursor *cursor)
{
    if ((mov->base == HW_RSP || mov->base == HW_RBP) && mov->segment == SMP_MOV_DS &&
        !cursor->segment_override) {
        mov->segment = SMP_MOV_SS;
    }
}

/* SDM vol. 2, table 2-1 "16-Bit Addressing Forms with the ModR/M Byte". */
static bool take_address16(struct smp_mov *mov, struct cursor *cursor, uint8_t modrm)
{
    static const uint8_t base[8] = {HW_RBX, HW_RBX, HW_RBP, HW_RBP, HW_RSI, HW_RDI, HW_RBP, HW_RBX};
    static const uint8_t index[4] = {HW_RSI, HW_RDI, HW_RSI, HW_RDI};
    unsigned mod = modrm >> 6, rm = modrm & 7;

    if (mod == 0 && rm == 6) {
        return take_signed(cursor, 2, &mov->displacement);
    }
    mov->base = base[rm];
    mov->index = rm < 4 ? index[rm] : SMP_MOV_NONE;
    default_to_stack(mov, cursor);
    return mod == 0 || take_signed(cursor, mod, &mov->displacement);
}

/* Tables 2-2 and 2-3: 32-bit forms and SIB; RIP-relative: 2.2.1.6. */
static inline bool take_address(struct smp_mov *mov, struct cursor *cursor, uint8_t modrm)
{
    unsigned mod = modrm >> 6, base = modrm & 7;
    unsigned displacement_bytes = mod == 2 ? 4 : mod;
    bool sib = base == 4;

    if (sib) {
        if (cursor->at == cursor->end) {
            return false;
        }
        uint8_t byte = *cursor->at++;
        unsigned index = ((byte >> 3) & 7) | (cursor->rex & REX_X) << 2;
        base = byte & 7;
        mov->index = index == HW_RSP ? SMP_MOV_NONE : (uint8_t)index;
        mov->scale_shift = byte >> 6;
    }
    if (mod == 0 && base == 5) {
        mov->rip_relative = !sib && mov->code_bytes == 8;
        displacement_bytes = 4;
    } else {
        mov->base = (uint8_t)(base | (cursor->rex & REX_B) << 3);
        default_to_stack(mov, cursor);
    }
    return displacement_bytes == 0 || take_signed(cursor, displacement_bytes, &mov->displacement);
}

static inline bool take_modrm(struct smp_mov *mov, struct cursor *cursor, uint8_t *modrm)
{
    if (cursor->at == cursor->end) {
        return false;
    }
    *modrm = *cursor->at++;
    if (*modrm >= 0xc0) {
        return false; /* the destination is a register */
    }
    return mov->address_bytes == 2 ? take_address16(mov, cursor, *modrm)
                                   : take_address(mov, cursor, *modrm);
}

static inline void set_source(struct smp_mov *mov, const struct cursor *cursor, uint8_t modrm)
{
    unsigned source = ((modrm >> 3) & 7u) | (cursor->rex & REX_R) << 1;

    /* Without REX, byte registers 4 to 7 are AH, CH, DH and BH (SDM vol. 2, table 3-1). */
    mov->source_high = mov->operand_bytes == 1 && cursor->rex == 0 && source >= 4;
    mov->source = (uint8_t)(mov->source_high ? source - 4 : source);
}

static inline void set_sizes(struct smp_mov *mov, const struct cursor *cursor, uint8_t opcode)
{
    bool narrow_operand = (mov->code_bytes == 2) != cursor->operand_override;

    mov->address_bytes = mov->code_bytes;
    if (cursor->address_override) {
        mov->address_bytes = mov->code_bytes == 4 ? 2 : 4;
    }
    mov->operand_bytes = (opcode & 1) == 0            ? 1
                         : (cursor->rex & REX_W) != 0 ? 8
                         : narrow_operand             ? 2
                                                      : 4;
}

static inline bool take_operands(struct smp_mov *mov, struct cursor *cursor, uint8_t opcode)
{
    uint8_t modrm;

    set_sizes(mov, cursor, opcode);
    if ((opcode & ~1u) == OPCODE_MOFFS) {
        mov->source = HW_RAX;
        return take_signed(cursor, mov->address_bytes, &mov->displacement);
    }
    bool immediate = (opcode & ~1u) == OPCODE_IMMEDIATE;
    if ((!immediate && (opcode & ~1u) != OPCODE_REGISTER) || !take_modrm(mov, cursor, &modrm)) {
        return false;
    }
    if (!immediate) {
        set_source(mov, cursor, modrm);
        return true;
    }
    return (modrm & 0x38) == 0 &&
           take_signed(cursor, mov->operand_bytes == 8 ? 4 : mov->operand_bytes, &mov->immediate);
}

static inline uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/*
 * What kernels use for the APIC in nearly every case, in a third of the time: 89 and C7 /0 without
 * prefix, to an absolute address or to a register plus 32 bits.  The general way decides the same.
 */
static bool decode_common(struct smp_mov *mov, const uint8_t *bytes, unsigned count,
                          unsigned code_bytes)
{
    if (count < COMMON_BYTES || code_bytes == 2) {
        return false;
    }
    bool immediate = bytes[0] == 0xc7;
    uint8_t modrm = bytes[1], form = modrm & 0xc7, base = modrm & 7, length = 6;
    if ((bytes[0] != 0x89 && !immediate) || (immediate && (modrm & 0x38) != 0)) {
        return false;
    }
    if (code_bytes == 8 ? form == 0x04 && bytes[2] == 0x25 : form == 0x05) {
        base = SMP_MOV_NONE;
        length = code_bytes == 8 ? 7 : 6;
    } else if ((form & 0xc0) != 0x80 || base == HW_RSP) {
        return false;
    }
    *mov = (struct smp_mov){
        .length = immediate ? length + 4 : length,
        .operand_bytes = 4,
        .address_bytes = (uint8_t)code_bytes,
        .code_bytes = (uint8_t)code_bytes,
        .source = immediate ? SMP_MOV_NONE : (modrm >> 3) & 7,
        .base = base,
        .index = SMP_MOV_NONE,
        .segment = base == HW_RBP ? SMP_MOV_SS : SMP_MOV_DS,
        .displacement = (uint64_t)(int32_t)get32(bytes + length - 4),
        .immediate = immediate ? (uint64_t)(int32_t)get32(bytes + length) : 0,
    };
    return true;
}

bool smp_mov_decode(struct smp_mov *mov, const uint8_t *bytes, unsigned count, unsigned code_bytes)
{
    struct cursor cursor = {
        .at = bytes,
        .end = bytes + (count < SMP_MOV_MAX_BYTES ? count : SMP_MOV_MAX_BYTES),
    };
    uint8_t opcode;

    if (decode_common(mov, bytes, count, code_bytes)) {
        return true;
    }
    *mov = (struct smp_mov){
        .code_bytes = (uint8_t)code_bytes,
        .source = SMP_MOV_NONE,
        .base = SMP_MOV_NONE,
        .index = SMP_MOV_NONE,
        .segment = SMP_MOV_DS,
    };
    if (!take_prefixes(mov, &cursor, &opcode) || !take_operands(mov, &cursor, opcode)) {
        return false;
    }
    mov->length = (uint8_t)(cursor.at - bytes);
    return true;
}

static uint64_t truncate(uint64_t value, unsigned bytes)
{
    return bytes >= 8 ? value : value & ((1ULL << 8 * bytes) - 1);
}

static uint64_t register_value(const struct hw_gprs *gprs, uint64_t rsp, unsigned number)
{
    return number == HW_RSP ? rsp : gprs->gpr[number];
}

uint64_t smp_mov_value(const struct smp_mov *mov, const struct hw_gprs *gprs, uint64_t rsp)
{
    uint64_t value = mov->immediate;

    if (mov->source != SMP_MOV_NONE) {
        value = register_value(gprs, rsp, mov->source) >> (mov->source_high ? 8 : 0);
    }
    return truncate(value, mov->operand_bytes);
}

uint64_t smp_mov_address(const struct smp_mov *mov, const struct hw_gprs *gprs, uint64_t rsp,
                         uint64_t rip, uint64_t segment_base)
{
    uint64_t address = mov->displacement;

    if (mov->base != SMP_MOV_NONE) {
        address += register_value(gprs, rsp, mov->base);
    }
    if (mov->index != SMP_MOV_NONE) {
        address += register_value(gprs, rsp, mov->index) << mov->scale_shift;
    }
    if (mov->rip_relative) {
        address += rip + mov->length;
    }
    address = truncate(address, mov->address_bytes);
    if (mov->code_bytes == 8) {
        return mov->segment >= SMP_MOV_FS ? address + segment_base : address;
    }
    return truncate(address + segment_base, 4);
}
