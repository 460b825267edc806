/* SDM "Checks on Guest Segment Registers" (REQ-CR-6 is decided here). */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)

enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR };

#define SELECTOR(segment) ((uint32_t)GET(F_GUEST_ES_SELECTOR + 2 * (segment)))
#define LIMIT(segment) GET(F_GUEST_ES_LIMIT + 2 * (segment))
#define RIGHTS(segment) ((uint32_t)GET(F_GUEST_ES_RIGHTS + 2 * (segment)))
#define BASE(segment) GET(F_GUEST_ES_BASE + 2 * (segment))
#define IS_USABLE(segment) (!(RIGHTS(segment) & 0x10000))
#define TYPE(segment) (RIGHTS(segment) & 0xf)
#define DPL(segment) (RIGHTS(segment) >> 5 & 3)
#define RPL(segment) (SELECTOR(segment) & 3)

static const char *check_selectors(const struct vmcs *vmcs, bool v8086, bool unrestricted)
{
    if (SELECTOR(TR) & 4) {
        return "TR selector: TI";
    }
    if (IS_USABLE(LDTR) && (SELECTOR(LDTR) & 4)) {
        return "LDTR selector: TI";
    }
    if (!v8086 && !unrestricted && RPL(SS) != RPL(CS)) {
        return "SS selector: RPL is not that of CS";
    }
    return NULL;
}

static const char *check_bases(const struct vmcs *vmcs, bool v8086)
{
    for (unsigned segment = ES; segment <= GS && v8086; segment++) {
        if (BASE(segment) != SELECTOR(segment) << 4) {
            return "virtual-8086: base is not selector * 16";
        }
        if (LIMIT(segment) != 0xffff) {
            return "virtual-8086: limit is not 0xffff";
        }
        if (RIGHTS(segment) != 0xf3) {
            return "virtual-8086: access rights are not 0xf3";
        }
    }
    if (!fake_is_canonical(BASE(TR)) || !fake_is_canonical(BASE(FS)) ||
        !fake_is_canonical(BASE(GS)) || (IS_USABLE(LDTR) && !fake_is_canonical(BASE(LDTR)))) {
        return "TR, FS, GS or LDTR base is not canonical";
    }
    if (BASE(CS) >> 32) {
        return "CS base above 32 bits";
    }
    if ((IS_USABLE(SS) && BASE(SS) >> 32) || (IS_USABLE(DS) && BASE(DS) >> 32) ||
        (IS_USABLE(ES) && BASE(ES) >> 32)) {
        return "SS, DS or ES base above 32 bits";
    }
    return NULL;
}

static bool granularity_fits(uint64_t limit, uint32_t rights)
{
    bool granular = rights & 0x8000;
    return !((limit & 0xfff) != 0xfff && granular) && !((limit & 0xfff00000) && !granular);
}

/* What is common to CS and the usable data segments. */
static const char *check_common(const struct vmcs *vmcs, enum segment segment)
{
    uint32_t rights = RIGHTS(segment);
    if (!(rights & 0x10)) {
        return "segment rights: S is 0";
    }
    if (!(rights & 0x80)) {
        return "segment rights: P is 0";
    }
    if (rights & 0xfffe0f00) {
        return "segment rights: reserved bits";
    }
    return granularity_fits(LIMIT(segment), rights) ? NULL : "segment rights: G against limit";
}

static const char *check_cs(const struct vmcs *vmcs, bool unrestricted, bool ia32e)
{
    uint32_t type = TYPE(CS);
    bool is_code = (type & 9) == 9;
    if (!is_code && !(unrestricted && type == 3)) {
        return "CS rights: type";
    }
    if (type == 3 && DPL(CS) != 0) {
        return "CS rights: DPL of a data segment is not 0";
    }
    if (is_code && !(type & 4) && DPL(CS) != DPL(SS)) {
        return "CS rights: DPL of non-conforming code is not that of SS";
    }
    if (is_code && (type & 4) && DPL(CS) > DPL(SS)) {
        return "CS rights: DPL of conforming code is above that of SS";
    }
    if (ia32e && (RIGHTS(CS) & 0x2000) && (RIGHTS(CS) & 0x4000)) {
        return "CS rights: L and D/B are both 1";
    }
    return check_common(vmcs, CS);
}

static const char *check_ss(const struct vmcs *vmcs, bool unrestricted)
{
    if (IS_USABLE(SS) && TYPE(SS) != 3 && TYPE(SS) != 7) {
        return "SS rights: type";
    }
    if (!unrestricted && DPL(SS) != RPL(SS)) {
        return "SS rights: DPL is not RPL";
    }
    bool real = !(GET(F_GUEST_CR0) & CR0_PE);
    if ((TYPE(CS) == 3 || real) && DPL(SS) != 0) {
        return "SS rights: DPL is not 0 in real mode or with CS of type 3";
    }
    return IS_USABLE(SS) ? check_common(vmcs, SS) : NULL;
}

static const char *check_data(const struct vmcs *vmcs, enum segment segment, bool unrestricted)
{
    if (!IS_USABLE(segment)) {
        return NULL;
    }
    uint32_t type = TYPE(segment);
    if (!(type & 1)) {
        return "data segment rights: not accessed";
    }
    if ((type & 8) && !(type & 2)) {
        return "data segment rights: code that cannot be read";
    }
    if (!unrestricted && type <= 11 && DPL(segment) < RPL(segment)) {
        return "data segment rights: DPL below RPL";
    }
    return check_common(vmcs, segment);
}

static const char *check_tr(const struct vmcs *vmcs, bool ia32e)
{
    uint32_t rights = RIGHTS(TR), type = TYPE(TR);
    if (type != 11 && (ia32e || type != 3)) {
        return "TR rights: type";
    }
    if ((rights & 0x10) || !(rights & 0x80) || (rights & 0x10000) || (rights & 0xfffe0f00)) {
        return "TR rights: S, P, unusable or reserved bits";
    }
    return granularity_fits(LIMIT(TR), rights) ? NULL : "TR rights: G against limit";
}

static const char *check_ldtr(const struct vmcs *vmcs)
{
    uint32_t rights = RIGHTS(LDTR);
    if (!IS_USABLE(LDTR)) {
        return NULL;
    }
    if (TYPE(LDTR) != 2 || (rights & 0x10) || !(rights & 0x80) || (rights & 0xfffe0f00)) {
        return "LDTR rights: type, S, P or reserved bits";
    }
    return granularity_fits(LIMIT(LDTR), rights) ? NULL : "LDTR rights: G against limit";
}

static const char *check_rights(const struct vmcs *vmcs, bool unrestricted, bool ia32e)
{
    const char *error = check_cs(vmcs, unrestricted, ia32e);
    if (!error) {
        error = check_ss(vmcs, unrestricted);
    }
    static const enum segment data[] = {DS, ES, FS, GS};
    for (unsigned i = 0; i < 4 && !error; i++) {
        error = check_data(vmcs, data[i], unrestricted);
    }
    return error;
}

const char *check_guest_segments(const struct vmcs *vmcs)
{
    bool v8086 = GET(F_GUEST_RFLAGS) & RFLAGS_VM;
    bool ia32e = GET(F_ENTRY_CONTROLS) & ENTRY_IA32E;
    bool unrestricted = vmx_secondary(vmcs) & SECONDARY_UNRESTRICTED;
    const char *error = check_selectors(vmcs, v8086, unrestricted);
    if (!error) {
        error = check_bases(vmcs, v8086);
    }
    if (!error && !v8086) {
        error = check_rights(vmcs, unrestricted, ia32e);
    }
    if (!error) {
        error = check_tr(vmcs, ia32e);
    }
    return error ? error : check_ldtr(vmcs);
}
