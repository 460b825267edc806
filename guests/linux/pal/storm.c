/*
 * Calls on all CPUs at the same time, while PALs come and go (REQ-PAL-1, REQ-PAL-6, REQ-PAL-11):
 * pal storm THREADS CALLS.
 */
#include "commands.h"

#include "client.h"

#define MOST_THREADS 8U
#define LOOPS 50U /* in the PAL that two threads call: time for the other to come in between */

struct worker {
    struct thread thread;
    struct pal pal;
    const struct pal *called;
    unsigned calls, refused;
};

static struct worker workers[MOST_THREADS];
static bool stop_churning;
static unsigned churned;

/* Each call must see what the one before left. */
static void call_own(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->calls; i++) {
        uintptr_t calls = pal_value1(worker->called, 0);
        if (calls != (uintptr_t)i + 1) {
            check_equal(calls, (uintptr_t)i + 1, "own-calls");
        }
    }
}

/* Registers, calls and unregisters all the time. */
static void churn(void *argument)
{
    struct worker *worker = argument;

    do {
        pal_must_reg(worker->called);
        check_equal(pal_value1(worker->called, 1), 2, "churned");
        pal_must_unreg(worker->called);
        churned++;
    } while (!__atomic_load_n(&stop_churning, __ATOMIC_ACQUIRE));
}

/* Several threads, one PAL: it is busy for all but one. */
static void call_shared(void *argument)
{
    struct worker *worker = argument;
    const uintptr_t loops = LOOPS;
    struct pal_frame frame;

    for (unsigned done = 0; done < worker->calls;) {
        pal_call(worker->called, &frame, 1, &loops);
        if ((frame.flags & 1) == 0) {
            done++;
            continue;
        }
        check_error((enum tv_error)frame.result, TV_ERROR_PAL_BUSY, "shared");
        worker->refused++;
        check(worker->refused < 1000 * worker->calls, "starved", done);
    }
}

static void make(struct pal *pal, const void *function)
{
    pal_make(pal, function, 1);
    pal_add_integers(pal, 1);
}

static void start(struct worker *worker, void (*function)(void *), unsigned cpu)
{
    worker->thread = (struct thread){function, worker, cpu, 0, NULL};
    thread_start(&worker->thread);
}

static void check_own_pals(unsigned threads, unsigned calls)
{
    static struct worker churner;

    make(&churner.pal, pal_add_one);
    churner.called = &churner.pal;
    for (unsigned i = 0; i < threads; i++) {
        make(&workers[i].pal, pal_count);
        pal_must_reg(&workers[i].pal);
        workers[i].called = &workers[i].pal;
        workers[i].calls = calls;
    }
    start(&churner, churn, sys_cpus() - 1);
    for (unsigned i = 0; i < threads; i++) {
        start(&workers[i], call_own, i % sys_cpus());
    }
    for (unsigned i = 0; i < threads; i++) {
        thread_join(&workers[i].thread);
        check_equal(pal_value1(&workers[i].pal, 0), (uintptr_t)calls + 1, "calls-in-all");
        pal_end(&workers[i].pal);
    }
    __atomic_store_n(&stop_churning, true, __ATOMIC_RELEASE);
    thread_join(&churner.thread);
    pal_free(&churner.pal);
    say("storm", "cycles", churned);
}

static void check_shared_pal(unsigned threads, unsigned calls)
{
    static struct pal shared;
    unsigned refused = 0;

    make(&shared, pal_count);
    pal_must_reg(&shared);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].called = &shared;
        workers[i].calls = calls;
        workers[i].refused = 0;
        start(&workers[i], call_shared, i % sys_cpus());
    }
    for (unsigned i = 0; i < threads; i++) {
        thread_join(&workers[i].thread);
        refused += workers[i].refused;
    }
    check_equal(pal_value1(&shared, 0), (uintptr_t)threads * calls + 1, "shared-calls");
    pal_end(&shared);
    say("shared", "busy", refused);
}

void command_storm(int count, char *const arguments[])
{
    unsigned threads = argument_number(count, arguments, 0, sys_cpus());
    const unsigned calls = argument_number(count, arguments, 1, 1000);

    threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    check_own_pals(threads, calls);
    check_shared_pal(2, 1 + calls / 10);
}
