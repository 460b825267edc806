/* As many PALs as there is room for (REQ-PAL-11), and all CPUs at once. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define SMALL_PAGES 3U /* code, parameters, stack */
#define SMALL_FIRST 16U
#define MAX_PALS 140U
#define SLOT_UNUSED 120U  /* behind them all: touching one that is registered would end it */
#define SMALL_BEHIND 147U /* small PALs from this number on are in nobody's way */
#define DEF_TYPE 0x2ffU
#define MTRRCAP 0xfeU
#define PHYSBASE(n) (0x200U + 2 * (n))
#define PHYSMASK(n) (0x201U + 2 * (n))

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready_for_long()) {                                                                   \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

/* The process has its pages in every 512 GiB of its half. */
static void everywhere(void)
{
    for (unsigned i = 1; i < 256; i++) {
        user.root[i] = user.root[0];
    }
}

static uint64_t in_part(unsigned part, unsigned page)
{
    return (uint64_t)part << 39 | user_linear(page);
}

static uint64_t entry_of(unsigned number)
{
    return user_linear(SMALL_FIRST + SMALL_PAGES * number);
}

/* PAL number n in three pages; sparse: each of them in tables of its own. */
static uint64_t small_register(unsigned number, bool sparse)
{
    struct tv_pal_sections *sections = pal_ask(&user, USER64, SLOT_UNUSED);
    unsigned page = SMALL_FIRST + SMALL_PAGES * number;

    sections->num_sections = 0;
    pal_ask_more(sections, TV_SECTION_CODE, user_linear(page), 1);
    pal_ask_more(sections, TV_SECTION_PARAM, in_part(sparse ? 1 : 0, page + 1), 1);
    pal_ask_more(sections, TV_SECTION_STACK, in_part(sparse ? 2 : 0, page + 2), 1);
    const uint64_t args[4] = {user_linear(PAGE_ARGS), 0, user_linear(PAGE_ARGS) + 1024,
                              entry_of(number)};
    return user_vmcall(&user, USER64, TV_REG, args);
}

/* How many of them fit, and why no more. */
static unsigned fill(bool sparse, uint64_t *error)
{
    for (unsigned number = 0; number < MAX_PALS; number++) {
        *error = small_register(number, sparse);
        if (*error != TV_OK) {
            return number;
        }
    }
    return MAX_PALS;
}

static bool empty(unsigned count)
{
    bool fine = true;
    for (unsigned number = 0; number < count; number++) {
        const uint64_t args[4] = {entry_of(number)};
        fine &= user_vmcall(&user, USER64, TV_UNREG, args) == TV_OK;
    }
    return fine;
}

/* REG costs 400,000 instructions a page, and an emulator runs the waiting CPUs too. */
static unsigned rounds(void)
{
    return cpu_count == 1 ? 3 : 1;
}

static void exhaust(bool sparse, enum tv_error wanted)
{
    unsigned first = 0;

    for (unsigned round = 0; round < rounds(); round++) {
        uint64_t error;
        unsigned count = fill(sparse, &error);
        first = round == 0 ? count : first;
        REQUIRE(empty(count), "UNREG of one of %u", count);
        REQUIRE(error == wanted || error == TV_ERROR_TOO_MANY_PALS, "%u fit, then %llx", count,
                (unsigned long long)error);
        REQUIRE(count == first && count > 0, "round %u: %u fit instead of %u", round, count, first);
        if (round == 0) {
            print("PROBE: note %u %s PALs fit, then error %u\n", count, sparse ? "sparse" : "small",
                  (unsigned)error);
        }
    }
    REQUIRE(pal_register(&user, 0) == TV_OK && pal_works(&user, 0, 0), "REG afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

static void many(void)
{
    SET_UP;
    exhaust(false, TV_ERROR_TOO_MANY_PALS);
}

static void sparse(void)
{
    SET_UP;
    everywhere();
    exhaust(true, TV_ERROR_NO_MEMORY);
}

/* Ten sections, each with tables of its own, and shares far away. */
static uint64_t big_register(unsigned slot)
{
    struct tv_pal_sections *sections = pal_ask(&user, USER64, slot);
    for (unsigned i = 1; i < PAL_PAGES; i++) {
        sections->sections[i].start_addr |= (uint64_t)(1 + i) << 39;
    }
    for (unsigned i = 0; i < 6; i++) {
        pal_ask_more(sections, TV_SECTION_DATA, in_part(5 + i, 192 + 6 * slot + i), 1);
    }
    return pal_ask_now(&user, USER64, slot);
}

static void big(void)
{
    unsigned first = 0;

    SET_UP;
    everywhere();
    for (unsigned round = 0; round < rounds(); round++) {
        uint64_t error = TV_OK;
        unsigned count = 0;
        while (count < 44 && (error = big_register(count)) == TV_OK) {
            count++;
        }
        first = round == 0 ? count : first;
        for (unsigned slot = 0; slot < count; slot++) {
            REQUIRE(pal_unregister(&user, slot) == TV_OK, "UNREG of %u", slot);
        }
        REQUIRE(error == TV_OK || error == TV_ERROR_NO_MEMORY, "%u fit, then %llx", count,
                (unsigned long long)error);
        REQUIRE(count == first && count > 0, "round %u: %u fit instead of %u", round, count, first);
        if (round == 0) {
            print("PROBE: note %u big PALs fit, then error %u\n", count, (unsigned)error);
        }
    }
}

/* A process has taken all the table pages that it can get: what the kernel does needs some, and is
 * not the one to suffer. */
static void kernel_needs(void)
{
    unsigned last = (unsigned)(rdmsr(MTRRCAP) & 0xff) - 1;
    uint64_t mask = (BIT(cpuid(0x80000008, 0).eax & 0xff) - 1) & ~(PAGE - 1);

    for (unsigned i = 0; i < 2; i++) { /* a memory type for one page, and later for none */
        EXPECT(NO_FAULT, wrmsr, PHYSBASE(last), 0x4001000);
        EXPECT(NO_FAULT, wrmsr, PHYSMASK(last), i == 0 ? mask | BIT(11) : 0);
        *(volatile uint64_t *)0x4001000 = 0x1234 + i;
        REQUIRE(*(volatile uint64_t *)0x4001000 == 0x1234 + i, "memory is not what was written");
        for (unsigned n = 0; n < 8; n++) { /* device memory above RAM that nobody has touched */
            uint64_t linear = window_map(2, (41 + 3 * n) * BIT(30), PTE_NORMAL | PTE_UC);
            EXPECT(NO_FAULT, load, linear, 0);
        }
    }
    EXPECT(NO_FAULT, wrmsr, PHYSBASE(last), 0);
}

/* The last pages, one by one: each shared page splits a large page of its own. */
static uint64_t share_far(unsigned number, unsigned index)
{
    uint64_t *words = user_at(&user, PAGE_ARGS);

    user_set(&user, 500 + index, 0x6000000 + index * 0x200000ULL, PTE_NORMAL);
    words[0] = user_linear(500 + index);
    words[1] = PAGE;
    const uint64_t args[4] = {entry_of(number), user_linear(PAGE_ARGS), user_linear(PAGE_ARGS) + 8,
                              1};
    return user_vmcall(&user, USER64, TV_SHARE, args);
}

static void starved(void)
{
    unsigned big = 0, few = 0;

    SET_UP;
    everywhere();
    while (big < 44 && big_register(big) == TV_OK) {
        big++;
    }
    while (few < 13 && small_register(SMALL_BEHIND + few, false) == TV_OK) {
        few++;
    }
    uint64_t error = TV_OK;
    for (unsigned i = 0; i < 8 && error == TV_OK; i++) {
        error = share_far(SMALL_BEHIND, i);
    }
    REQUIRE(few > 0 && error == TV_ERROR_NO_MEMORY, "%u and %u fit, then SHARE gives %llx", big,
            few, (unsigned long long)error);
    kernel_needs();
    for (unsigned slot = 0; slot < big; slot++) {
        REQUIRE(pal_unregister(&user, slot) == TV_OK, "UNREG of %u", slot);
    }
    for (unsigned number = SMALL_BEHIND; number < SMALL_BEHIND + few; number++) {
        const uint64_t args[4] = {entry_of(number)};
        REQUIRE(user_vmcall(&user, USER64, TV_UNREG, args) == TV_OK, "UNREG of small %u", number);
    }
    REQUIRE(big > 0, "nothing fits");
}

/* Each CPU with a process of its own. */
static struct worker {
    struct user user;
    unsigned rounds;
    const char *wrong;
    uint64_t got;
} workers[MAX_CPUS];

static const char *one_life(struct user *own, uint64_t value, uint64_t *got)
{
    if ((*got = pal_register(own, 0)) != TV_OK) {
        return "REG";
    }
    for (unsigned i = 0; i < 10; i++) {
        if ((*got = user_call(own, 0, OP_DOUBLE, value + i)) != 2 * (value + i) + 1) {
            return "a call";
        }
    }
    *got = user_call(own, 0, OP_SECRET, value);
    *got = user_call(own, 0, OP_SECRET, value);
    if (*got != value) {
        return "the secret";
    }
    return (*got = pal_unregister(own, 0)) == TV_OK ? NULL : "UNREG";
}

static void work(void *argument)
{
    unsigned cpu = cpu_number();
    struct worker *worker = &workers[cpu];
    uint64_t def_type = rdmsr(DEF_TYPE);

    (void)argument;
    user_new(&worker->user, cpu);
    worker->wrong = NULL;
    for (unsigned i = 0; i < 8 && worker->wrong == NULL; i++) {
        if (cpu == 0) {
            ipi(0, IPI_NMI | IPI_OTHERS);
        } else if (cpu == 1) {
            wrmsr(DEF_TYPE, def_type ^ BIT(10));
            wrmsr(DEF_TYPE, def_type);
        }
        worker->wrong = one_life(&worker->user, 1000 * cpu + i, &worker->got);
        worker->rounds = i;
    }
}

static void all_cpus(void)
{
    if (!pal_ready()) {
        return;
    }
    REQUIRE(smp_call_all(work, NULL), "a CPU does not come back");
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        REQUIRE(workers[cpu].wrong == NULL, "CPU %u, round %u: %s gives %llx", cpu,
                workers[cpu].rounds, workers[cpu].wrong, (unsigned long long)workers[cpu].got);
    }
}

const struct probe pal_limit_probes[] = {
    {"pal-many", many, ON_NACRE},
    {"pal-sparse", sparse, ON_NACRE},
    {"pal-big", big, ON_NACRE},
    {"pal-starved", starved, ON_NACRE},
    {"pal-all-cpus", all_cpus, ON_NACRE | SEVERAL},
    {0},
};
