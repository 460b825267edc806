/* Calls on several CPUs at once, each of a PAL of its own: pal bench concurrent [CALLS]. */
#include "commands.h"

#include "client.h"

#define MOST_CPUS 8U

struct caller {
    struct thread thread;
    struct pal pal;
    unsigned calls;
    uint64_t start, end;
};

static unsigned arrived, awaited;

static void call_many(void *argument)
{
    struct caller *caller = argument;
    uintptr_t (*call)(uintptr_t) = (uintptr_t(*)(uintptr_t))caller->pal.entry;

    (void)__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < awaited) {
        __asm__ volatile("pause");
    }
    uintptr_t sum = 0;
    caller->start = sys_tsc();
    for (unsigned i = 0; i < caller->calls; i++) {
        sum += call(0);
    }
    caller->end = sys_tsc();
    check_equal(sum, caller->calls, "sum");
}

static void measure(unsigned cpus, unsigned calls)
{
    static struct caller callers[MOST_CPUS];
    static const char *const names[] = {"",
                                        "concurrent_1",
                                        "concurrent_2",
                                        "concurrent_3",
                                        "concurrent_4",
                                        "concurrent_5",
                                        "concurrent_6",
                                        "concurrent_7",
                                        "concurrent_8"};
    uint64_t first = ~0ULL, last = 0;

    arrived = 0;
    awaited = cpus;
    for (unsigned i = 0; i < cpus; i++) {
        pal_make(&callers[i].pal, pal_add_one, 1);
        pal_add_integers(&callers[i].pal, 1);
        pal_must_reg(&callers[i].pal);
        callers[i].calls = calls;
        callers[i].thread = (struct thread){call_many, &callers[i], i, 0, NULL};
    }
    for (unsigned i = 0; i < cpus; i++) {
        thread_start(&callers[i].thread);
    }
    for (unsigned i = 0; i < cpus; i++) {
        thread_join(&callers[i].thread);
        first = callers[i].start < first ? callers[i].start : first;
        last = callers[i].end > last ? callers[i].end : last;
        pal_end(&callers[i].pal);
    }
    say_bench(names[cpus], "ticks", last - first, "calls", (uint64_t)calls * cpus);
}

void bench_concurrent(unsigned calls)
{
    const unsigned cpus = sys_cpus();

    for (unsigned n = 1; n <= cpus && n <= MOST_CPUS; n *= 2) {
        measure(n, calls);
    }
}
