/* libsmp/rendezvous.c: stop the world (REQ-SMP-4), alone and with a thread for each CPU. */
#include "suite.h"

#include <fake/machine.h>
#include <hw/nmi.h>
#include <pthread.h>
#include <sched.h>
#include <smp/rendezvous.h>
#include <stdatomic.h>

#define CPUS 4
#define ROUNDS 3000

static struct smp smp;

static int setup(void **state)
{
    struct smp_table table;

    (void)state;
    fake_machine_reset_cpus(CPUS);
    smp_table_clear(&table);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        assert_int_equal(smp_table_add(&table, fake_apic_id(cpu)), STATUS_OK);
        fake_cpu_run(cpu);
    }
    smp_init(&smp, &table);
    return 0;
}

static void test_offline_cpus_are_not_waited_for(void **state)
{
    (void)state;
    smp_set_online(&smp, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(smp_rendezvous_begin(&smp, 0));
        assert_false(smp_rendezvous_pending(&smp, 0)); /* the stopper does not wait for itself */
        assert_false(smp_rendezvous_join(&smp, 0));
        assert_true(smp_rendezvous_pending(&smp, 1));
        smp_rendezvous_end(&smp, 0);
        assert_false(smp_rendezvous_pending(&smp, 1));
        assert_false(smp_rendezvous_join(&smp, 1));
    }
    assert_int_equal(fake_ipi_count(), 0);
    assert_int_equal(smp.timeouts, 0);
}

static void test_misuse_is_caught(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(smp_rendezvous_end(&smp, 0)), FAKE_END_CHECK);
    (void)smp_rendezvous_begin(&smp, 0);
    assert_int_equal(FAKE_CATCH(smp_rendezvous_end(&smp, 1)), FAKE_END_CHECK);
    smp_rendezvous_end(&smp, 0);
    assert_int_equal(FAKE_CATCH((void)smp_rendezvous_begin(&smp, CPUS)), FAKE_END_CHECK);
}

/* CPU 1 is in its guest until an NMI comes, and deaf until `deaf` is cleared. */
static atomic_bool deaf, joined;

static void *one_joiner(void *arg)
{
    (void)arg;
    fake_select_cpu(1);
    while (!fake_nmi_latched(1) || deaf) {
        sched_yield();
    }
    if (hw_nmi_take() && smp_kick_take(&smp, 1) && smp_rendezvous_pending(&smp, 1)) {
        joined = smp_rendezvous_join(&smp, 1);
    }
    return NULL;
}

static void hear_after_the_report(void *arg)
{
    (void)arg;
    fake_tsc_advance(1000000000);
    if (__atomic_load_n(&smp.timeouts, __ATOMIC_RELAXED) != 0) {
        deaf = false;
    }
}

static void test_REQ_SMP_4_timeout_is_reported_and_survived(void **state)
{
    pthread_t thread;

    (void)state;
    deaf = true;
    joined = false;
    smp_set_online(&smp, 0);
    smp_set_online(&smp, 1);
    fake_on_pause(hear_after_the_report, NULL);
    assert_int_equal(pthread_create(&thread, NULL, one_joiner, NULL), 0);
    assert_false(smp_rendezvous_begin(&smp, 0));
    assert_int_equal(smp.timeouts, 1);
    assert_true(fake_console_contains("CPU 0 waits for others to stop"));
    assert_true(fake_console_contains("CPU 0 (APIC ID 0): waits"));
    assert_true(fake_console_contains("CPU 1 (APIC ID 2): not parked, NMI sent and not taken"));
    assert_true(fake_console_contains("CPU 2 (APIC ID 4): offline"));
    assert_false(joined); /* still parked */
    smp_rendezvous_end(&smp, 0);
    pthread_join(thread, NULL);
    assert_true(joined);
}

/*
 * Every CPU: a run loop whose guest is left only by an NMI or when it is this CPU's turn to stop
 * the world, half of the time with a lock in hand that all others want too.
 */
static struct spinlock lock;
static atomic_bool in_guest[CPUS];
static atomic_int stopper, lock_holder;
static atomic_uint violations, stops, joins, left;
static uint64_t shared; /* written only while the world is stopped */

static void check(bool holds)
{
    if (!holds) {
        atomic_fetch_add(&violations, 1);
    }
}

static void stop_the_world(unsigned cpu)
{
    if (smp_rendezvous_begin(&smp, cpu)) {
        atomic_fetch_add(&joins, 1);
    }
    check(atomic_exchange(&stopper, (int)cpu) == -1);
    for (unsigned other = 0; other < CPUS; other++) {
        check(!in_guest[other]);
    }
    shared++;
    atomic_fetch_add(&stops, 1);
    sched_yield();
    check(atomic_exchange(&stopper, -1) == (int)cpu);
    smp_rendezvous_end(&smp, cpu);
}

static void own_turn(unsigned cpu, unsigned seed)
{
    bool locked = (seed & 1) != 0;

    if (locked) {
        if (smp_lock(&smp, cpu, &lock)) {
            atomic_fetch_add(&joins, 1);
        }
        check(atomic_exchange(&lock_holder, (int)cpu) == -1);
    }
    if ((seed & 2) != 0) {
        stop_the_world(cpu);
    }
    if (locked) {
        check(atomic_exchange(&lock_holder, -1) == (int)cpu);
        spinlock_unlock(&lock);
    }
}

static void guest(unsigned cpu, unsigned steps)
{
    in_guest[cpu] = true;
    check(stopper == -1);
    for (unsigned i = 0; !fake_nmi_latched(cpu) && i < steps; i++) {
        check(stopper == -1);
        sched_yield();
    }
    in_guest[cpu] = false;
}

static void *run_loop(void *arg)
{
    unsigned cpu = *(const unsigned *)arg, seed = cpu + 1, turns = 0;

    fake_select_cpu(cpu);
    for (unsigned i = 0; i < cpu * 50; i++) {
        sched_yield(); /* come online while others stop the world already */
    }
    smp_set_online(&smp, cpu);
    while (turns < ROUNDS || left != 0) {
        if (hw_nmi_take()) {
            check(smp_kick_take(&smp, cpu)); /* nobody sends NMIs to a guest here */
        } else if (smp_rendezvous_pending(&smp, cpu)) {
            check(smp_rendezvous_join(&smp, cpu));
            atomic_fetch_add(&joins, 1);
        } else if (turns < ROUNDS) {
            seed = seed * 1103515245 + 12345;
            guest(cpu, (seed >> 20) % 8);
            own_turn(cpu, seed >> 16);
            if (++turns == ROUNDS) {
                atomic_fetch_sub(&left, 1);
            }
        } else {
            guest(cpu, ~0u >> 20);
        }
    }
    return NULL;
}

static void test_REQ_SMP_4_all_stop_all(void **state)
{
    pthread_t threads[CPUS];
    unsigned numbers[CPUS];

    (void)state;
    atomic_store(&stopper, -1);
    atomic_store(&lock_holder, -1);
    atomic_store(&left, CPUS);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        numbers[cpu] = cpu;
        assert_int_equal(pthread_create(&threads[cpu], NULL, run_loop, &numbers[cpu]), 0);
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        pthread_join(threads[cpu], NULL);
    }
    assert_int_equal(violations, 0);
    assert_int_equal(smp.timeouts, 0);
    assert_true(stops > ROUNDS && joins > ROUNDS);
    assert_int_equal(shared, stops); /* no two at once */
    assert_int_equal(smp.generation, 2 * (uint64_t)stops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_offline_cpus_are_not_waited_for, setup),
        cmocka_unit_test_setup(test_misuse_is_caught, setup),
        cmocka_unit_test_setup(test_REQ_SMP_4_timeout_is_reported_and_survived, setup),
        cmocka_unit_test_setup(test_REQ_SMP_4_all_stop_all, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
