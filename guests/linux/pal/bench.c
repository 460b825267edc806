/*
 * What things cost, in ticks of the time-stamp counter: pal bench OPERATION [N].
 * NACRE-GUEST: bench NAME median=N min=N width=.. is over RUNS runs, with nothing subtracted; the
 * operation empty is what the measuring itself costs.
 */
#include "commands.h"

#include "client.h"

#include <nacre/nacre.h>

#define RUNS 200U

static uint64_t sample[RUNS], second_sample[RUNS];

void bench_report(const char *name, uint64_t *ticks, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        const uint64_t value = ticks[i];
        unsigned at = i;
        for (; at > 0 && ticks[at - 1] > value; at--) {
            ticks[at] = ticks[at - 1];
        }
        ticks[at] = value;
    }
    say_bench(name, "median", ticks[count / 2], "min", ticks[0]);
}

/* Runs the statement RUNS times and reports. */
#define MEASURE(name, statement)                                                                   \
    do {                                                                                           \
        for (unsigned run = 0; run < RUNS; run++) {                                                \
            const uint64_t before = sys_tsc();                                                     \
            statement;                                                                             \
            sample[run] = sys_tsc() - before;                                                      \
        }                                                                                          \
        bench_report(name, sample, RUNS);                                                          \
    } while (false)

typedef uintptr_t (*function1)(uintptr_t);
typedef uintptr_t (*function2)(uintptr_t, uintptr_t);
typedef uintptr_t (*function10)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                                uintptr_t, uintptr_t, uintptr_t, uintptr_t);

static void bench_empty(unsigned number)
{
    (void)number;
    MEASURE("empty", );
}

static inline void cpuid_0(void)
{
    uint32_t eax = 0, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
}

static void bench_cpuid(unsigned number)
{
    (void)number;
    MEASURE("cpuid", cpuid_0());
}

static void bench_test(unsigned number)
{
    (void)number;
    MEASURE("test", (void)nacre_test(1));
}

static void bench_call_1int(unsigned number)
{
    struct pal pal;

    (void)number;
    pal_make(&pal, pal_add_one, 1);
    pal_add_integers(&pal, 1);
    pal_must_reg(&pal);
    const function1 call = (function1)pal.entry;
    check_equal(pal_value1(&pal, 41), 42, "call");
    uintptr_t sum = 0;
    MEASURE("call_1int", sum += call(41));
    check_equal(sum, 42 * RUNS, "sum");
    pal_end(&pal);
}

static void bench_call_int_ptr4(unsigned number)
{
    uintptr_t words[PAL_DOUBLE_WORDS] = {0};
    uintptr_t sum = 0;
    struct pal pal;

    (void)number;
    pal_make(&pal, pal_double, 1);
    pal_add_integers(&pal, 1);
    pal_add_pointer(&pal, PAL_DOUBLE_WORDS);
    pal_must_reg(&pal);
    const function2 call = (function2)pal.entry;
    MEASURE("call_int_ptr4", sum += call(3, (uintptr_t)words));
    check_equal(sum, 3 * RUNS, "sum");
    pal_end(&pal);
}

static void bench_call_10int(unsigned number)
{
    uintptr_t sum = 0;
    struct pal pal;

    (void)number;
    pal_make(&pal, pal_weighted, 1);
    pal_add_integers(&pal, 10);
    pal_must_reg(&pal);
    const function10 call = (function10)pal.entry;
    MEASURE("call_10int", sum += call(1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    check_equal(sum, 55 * RUNS, "sum");
    pal_end(&pal);
}

/* REG and UNREG of four sections of one page each. */
static void bench_reg(unsigned number)
{
    struct pal pal;

    (void)number;
    pal_make(&pal, pal_add_one, 1);
    pal_add_integers(&pal, 1);
    check_equal(pal.pages, 4, "pages");
    for (unsigned run = 0; run < RUNS; run++) {
        const uint64_t start = sys_tsc();
        const enum tv_error reg = pal_reg(&pal);
        const uint64_t middle = sys_tsc();
        const enum tv_error unreg = pal_unreg(&pal);
        second_sample[run] = sys_tsc() - middle;
        sample[run] = middle - start;
        check_error(reg, TV_OK, "reg");
        check_error(unreg, TV_OK, "unreg");
    }
    bench_report("reg", sample, RUNS);
    bench_report("unreg", second_sample, RUNS);
    pal_free(&pal);
}

static void copy(void *to, const void *from, size_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
}

static void bench_pointer(const char *name, const char *copy_name, unsigned bytes)
{
    const unsigned pages = bytes / PAGE;
    uint8_t *from = sys_pages(pages), *to = sys_pages(pages);
    uintptr_t sum = 0;
    struct pal pal;

    pal_make(&pal, pal_zero, pages + 1);
    pal_add_pointer(&pal, bytes / (unsigned)sizeof(uintptr_t));
    pal_must_reg(&pal);
    const function1 call = (function1)pal.entry;
    MEASURE(name, sum += call((uintptr_t)from));
    check_equal(sum, (uintptr_t)PAL_ZERO * RUNS, "sum");
    MEASURE(copy_name, copy(to, from, bytes));
    pal_end(&pal);
    sys_unmap(from, pages);
    sys_unmap(to, pages);
}

static void bench_ptr4k(unsigned number)
{
    (void)number;
    bench_pointer("ptr4k", "memcpy4k", PAGE);
}

static void bench_ptr64k(unsigned number)
{
    (void)number;
    bench_pointer("ptr64k", "memcpy64k", 16 * PAGE);
}

/* Nothing but so many calls: the hypervisor counts the exits. */
static void bench_exits(unsigned number)
{
    struct pal pal;

    pal_make(&pal, pal_add_one, 1);
    pal_add_integers(&pal, 1);
    pal_must_reg(&pal);
    const function1 call = (function1)pal.entry;
    uintptr_t sum = 0;
    const uint64_t before = sys_tsc();
    for (unsigned i = 0; i < number; i++) {
        sum += call(0);
    }
    say_bench("exits", "calls", number, "ticks", sys_tsc() - before);
    check_equal(sum, number, "sum");
    pal_end(&pal);
}

static const struct {
    const char *name;
    void (*run)(unsigned number);
    bool is_in_all;
} operations[] = {
    {"empty", bench_empty, true},
    {"cpuid", bench_cpuid, true},
    {"test", bench_test, true},
    {"call_1int", bench_call_1int, true},
    {"call_int_ptr4", bench_call_int_ptr4, true},
    {"call_10int", bench_call_10int, true},
    {"ptr4k", bench_ptr4k, true},
    {"ptr64k", bench_ptr64k, true},
    {"reg", bench_reg, false}, /* the hypervisor's sums must be of nothing else */
    {"exits", bench_exits, false},
    {"concurrent", bench_concurrent, false},
    {"tpm", bench_tpm, false}, /* takes long, the RSA key above all */
};

void command_bench(int count, char *const arguments[])
{
    const char *name = count > 0 ? arguments[0] : "all";
    bool is_known = false;

    for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (same_text(name, operations[i].name) ||
            (same_text(name, "all") && operations[i].is_in_all)) {
            operations[i].run(argument_number(count, arguments, 1, 1000));
            is_known = true;
        }
    }
    check(is_known, "no-such-operation", 0);
}
