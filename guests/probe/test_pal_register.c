/* REG of what may not be registered, and of what is described badly (REQ-PAL-3). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

/* A refusal has changed nothing: all pages are the caller's, and the PAL alone is welcome. */
static void nothing_changed(const char *what)
{
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        uint64_t got = user_store(&user, USER64, user_linear(PAL_PAGE(0) + i), 0);
        REQUIRE(got < FAILED, "%s: page %u is not the caller's: %llx", what, i,
                (unsigned long long)got);
    }
    REQUIRE(pal_register(&user, 0) == TV_OK && pal_works(&user, 0, 0), "%s: no REG afterwards",
            what);
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "%s: no UNREG afterwards", what);
}

/* The PAL in slot 0 with one more section. */
static uint64_t with(uint32_t type, uint64_t linear, uint32_t pages)
{
    pal_ask_more(pal_ask(&user, USER64, 0), type, linear, pages);
    return pal_ask_now(&user, USER64, 0);
}

/* PAGE_FREE of the process leads to physical. */
static void page_refused(const char *what, uint64_t physical, uint64_t flags, enum tv_error wanted)
{
    for (uint32_t type = TV_SECTION_CODE; type <= TV_SECTION_SHARED_CODE; type++) {
        user_set(&user, PAGE_FREE, physical, flags);
        uint64_t error = with(type, user_linear(PAGE_FREE), 1);
        REQUIRE(error == wanted, "%s as type %u: %llx instead of %x", what, type,
                (unsigned long long)error, wanted);
    }
    nothing_changed(what);
}

static void foreign_memory(void)
{
    struct region region;

    SET_UP;
    REQUIRE(region_find(&region), "no region");
    for (uint64_t at = region.start; at < region.end; at += (region.end - region.start) / 8) {
        page_refused("the hypervisor", at, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    }
    page_refused("the region's end", region.end - PAGE, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("the local APIC", APIC_PAGE, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("the I/O APIC", 0xfec00000, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("conventional memory", 0x30000, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("the screen", 0xb8000, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("the PCI hole", 0xe0000000, PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
    page_refused("nothing", BIT(35), PTE_NORMAL, TV_ERROR_PAGE_NOT_RAM);
}

static void rights(void)
{
    SET_UP;
    uint64_t physical = user_physical(&user, PAGE_FREE);
    page_refused("an absent page", physical, 0, TV_ERROR_PAGE_ABSENT);
    page_refused("a supervisor's page", physical, PTE_P | PTE_RW, TV_ERROR_PAGE_RIGHTS);
    page_refused("reserved bits", BIT(51), PTE_NORMAL, TV_ERROR_PAGE_RIGHTS);
    for (uint32_t type = TV_SECTION_DATA; type <= TV_SECTION_STACK; type++) {
        user_set(&user, PAGE_FREE, physical, PTE_P | PTE_US);
        uint64_t error = with(type, user_linear(PAGE_FREE), 1);
        REQUIRE(error == TV_ERROR_PAGE_RIGHTS, "a read-only page as type %u: %llx", type,
                (unsigned long long)error);
    }
    nothing_changed("a read-only page");
}

static void twice(void)
{
    SET_UP;
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        page_refused("a page of its own", user_physical(&user, PAL_PAGE(0) + i), PTE_NORMAL,
                     TV_ERROR_PAGE_TAKEN);
    }
    REQUIRE(pal_register(&user, 1) == TV_OK, "REG");
    REQUIRE(user_call(&user, 1, OP_SECRET, 3) == 0, "secret");
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        page_refused("another PAL's page", user_physical(&user, PAL_PAGE(1) + i), PTE_NORMAL,
                     TV_ERROR_PAGE_TAKEN);
        uint64_t error = with(TV_SECTION_DATA, user_linear(PAL_PAGE(1) + i), 1);
        REQUIRE(error == TV_ERROR_PAL_OVERLAP, "another PAL's section: %llx",
                (unsigned long long)error);
    }
    struct user other = user;
    user_new(&other, 1);
    user_set(&other, PAL_DATA(0), user_physical(&user, PAL_DATA(1)), PTE_NORMAL);
    (void)pal_ask(&other, USER64, 0);
    uint64_t error = pal_ask_now(&other, USER64, 0);
    REQUIRE(error == TV_ERROR_PAGE_TAKEN, "from another process: %llx", (unsigned long long)error);
    REQUIRE(pal_works(&user, 1, 3), "the other PAL");
    REQUIRE(pal_unregister(&user, 1) == TV_OK, "UNREG");
}

static void descriptions(void)
{
    static const struct {
        uint32_t type;
        uint64_t start;
        uint32_t pages;
        enum tv_error error;
    } bad[] = {
        {0, USER + 0x5000, 1, TV_ERROR_SECTION_TYPE},
        {6, USER + 0x5000, 1, TV_ERROR_SECTION_TYPE},
        {0x80000001, USER + 0x5000, 1, TV_ERROR_SECTION_TYPE},
        {2, USER + 0x5008, 1, TV_ERROR_SECTION_ALIGN},
        {2, USER + 0x5000, 0, TV_ERROR_SECTION_EMPTY},
        {2, USER + 0x5000, 0xffffffff, TV_ERROR_SECTION_HUGE},
        {2, USER + 0x5000, 16384, TV_ERROR_SECTION_HUGE},
        {2, 0xfffffffffffff000, 1, TV_ERROR_SECTION_RANGE},
        {2, 0xfffffffffffff000, 2, TV_ERROR_SECTION_RANGE},
        {2, 0x7ffffffff000, 2, TV_ERROR_SECTION_RANGE},
        {2, 0x7ffffffff000, 1, TV_ERROR_PAGE_ABSENT},
        {2, 0x800000000000, 1, TV_ERROR_SECTION_RANGE},
        {2, 0xffff800000000000, 1, TV_ERROR_SECTION_RANGE},
        {2, USER + 0x10000, 1, TV_ERROR_SECTION_OVERLAP},
        {1, USER + 0xf000, 2, TV_ERROR_SECTION_OVERLAP},
        {4, USER + 0x13000, 1, TV_ERROR_SECTION_OVERLAP},
    };

    SET_UP;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t error = with(bad[i].type, bad[i].start, bad[i].pages);
        REQUIRE(error == bad[i].error, "description %u: %llx instead of %x", i,
                (unsigned long long)error, bad[i].error);
    }
    nothing_changed("descriptions");
    static const enum tv_error missing[] = {TV_ERROR_PAL_ENTRY, TV_OK, TV_ERROR_NO_PARAM_SECTION,
                                            TV_ERROR_NO_STACK_SECTION};
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        struct tv_pal_sections *sections = pal_ask(&user, USER64, 0);
        sections->sections[i].type = TV_SECTION_DATA;
        uint64_t error = pal_ask_now(&user, USER64, 0);
        REQUIRE(error == missing[i], "without type %u: %llx", i + 1, (unsigned long long)error);
        REQUIRE(error != TV_OK || pal_unregister(&user, 0) == TV_OK, "UNREG");
    }
    uint32_t counts[] = {0, 11, 0x7fffffff, 0xffffffff};
    for (unsigned i = 0; i < 4; i++) {
        pal_ask(&user, USER64, 0)->num_sections = counts[i];
        uint64_t error = pal_ask_now(&user, USER64, 0);
        REQUIRE(error == (i == 0 ? TV_ERROR_NO_SECTIONS : TV_ERROR_SECTION_COUNT),
                "%x sections: %llx", counts[i], (unsigned long long)error);
    }
    nothing_changed("counts");
}

/* Where the arrays lie: at the end of what is mapped, beyond it, at the end of everything. */
static void arrays(void)
{
    SET_UP;
    struct tv_pal_sections *sections = pal_ask(&user, USER64, 0);
    size_t bytes = 8 + 16 * sections->num_sections;
    uint64_t args[4] = {user_linear(PAGE_ABSENT) - bytes, 0, user_linear(PAGE_ARGS) + 1024,
                        user_linear(PAL_PAGE(0))};
    memcpy((uint8_t *)user_at(&user, PAGE_BUFFER) + PAGE - bytes, sections, bytes);
    uint64_t error = user_vmcall(&user, USER64, TV_REG, args);
    REQUIRE(error == TV_OK, "an array that ends at an absent page: %llx",
            (unsigned long long)error);
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
    memcpy((uint8_t *)user_at(&user, PAGE_BUFFER) + PAGE - bytes + 4, sections, bytes - 4);
    args[0] += 4;
    REQUIRE(user_vmcall(&user, USER64, TV_REG, args) == TV_ERROR_ADDRESS, "half a section");
    struct region region;
    REQUIRE(region_find(&region), "no region");
    const uint64_t bad[] = {0x700000000000,
                            ~0ULL,
                            ~0ULL - 3,
                            0x7ffffffffffc,
                            region.start,
                            APIC_PAGE,
                            user_linear(PAGE_ABSENT),
                            0x8000000000000000};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (unsigned which = 0; which <= 2; which += 2) {
            args[0] = user_linear(PAGE_ARGS);
            args[2] = user_linear(PAGE_ARGS) + 1024;
            args[which] = bad[i];
            error = user_vmcall(&user, USER64, TV_REG, args);
            REQUIRE(error == TV_ERROR_ADDRESS, "array %u at %llx: %llx", which,
                    (unsigned long long)bad[i], (unsigned long long)error);
        }
    }
    nothing_changed("arrays");
}

/* A page table of the caller's own, as the last section: the processor's next walk takes it away.
 */
static void own_table(void)
{
    for (uint32_t type = TV_SECTION_DATA; type <= TV_SECTION_STACK; type++) {
        SET_UP;
        user_set(&user, PAGE_FREE, (uint64_t)user.table, PTE_NORMAL);
        uint64_t got = with(type, user_linear(PAGE_FREE), 1);
        REQUIRE(got == FAULTED + PF || got == TV_ERROR_PAGE_NOT_RAM, "type %u: %llx", type,
                (unsigned long long)got);
        user_new(&user, 0);
        REQUIRE(pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL, "UNREG");
        nothing_changed("a page table");
    }
    /* Read-only for the kernel now, but the processor must set flags in it. */
    user_set(&user, PAGE_FREE, (uint64_t)user.table, PTE_NORMAL);
    uint64_t got = with(TV_SECTION_SHARED_CODE, user_linear(PAGE_FREE), 1);
    REQUIRE(got == TV_OK || got < TV_ERROR_COUNT, "as shared code: %llx", (unsigned long long)got);
    user_reset(&user, PAGE_FREE);
    got = pal_unregister(&user, 0);
    REQUIRE(got == TV_OK || got == TV_ERROR_NO_SUCH_PAL, "UNREG: %llx", (unsigned long long)got);
    nothing_changed("a page table as code");
}

const struct probe pal_register_probes[] = {
    {"pal-foreign", foreign_memory, ON_NACRE},
    {"pal-rights", rights, ON_NACRE},
    {"pal-twice", twice, ON_NACRE},
    {"pal-descriptions", descriptions, ON_NACRE},
    {"pal-arrays", arrays, ON_NACRE},
    {"pal-own-table", own_table, ON_NACRE},
    {0},
};
