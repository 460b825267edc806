/* libsmp/smp.c: kicks, and whose an NMI is (REQ-SMP-3). */
#include "suite.h"

#include <fake/machine.h>
#include <hw/nmi.h>
#include <smp/smp.h>

static struct smp smp;

static int setup(void **state)
{
    struct smp_table table;

    (void)state;
    fake_machine_reset_cpus(3);
    smp_table_clear(&table);
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        assert_int_equal(smp_table_add(&table, fake_apic_id(cpu)), STATUS_OK);
        fake_cpu_run(cpu);
    }
    smp_init(&smp, &table);
    return 0;
}

/* As the run loop of that CPU; counts who the NMIs were for. */
static void collect(unsigned cpu, unsigned *kicks, unsigned *guests)
{
    fake_select_cpu(cpu);
    *kicks = *guests = 0;
    if (hw_nmi_take()) {
        *(smp_kick_take(&smp, cpu) ? kicks : guests) = 1;
    }
    fake_select_cpu(0);
}

static void test_init(void **state)
{
    (void)state;
    assert_int_equal(smp.count, 3);
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        assert_int_equal(smp.cpu[cpu].apic_id, fake_apic_id(cpu));
        assert_false(smp.cpu[cpu].online || smp.cpu[cpu].kick);
        assert_int_equal((uintptr_t)&smp.cpu[cpu] % 64, 0);
    }
    smp_set_online(&smp, 2);
    assert_true(smp.cpu[2].online && !smp.cpu[1].online);
}

static void test_kick_reaches_only_its_target(void **state)
{
    unsigned kicks, guests;

    (void)state;
    smp_kick(&smp, 2);
    assert_int_equal(fake_ipi_count(), 1);
    assert_true(fake_ipi_at(0)->icr == ((uint64_t)fake_apic_id(2) << 32 | 0x4400));
    collect(1, &kicks, &guests);
    assert_int_equal(kicks + guests, 0);
    collect(2, &kicks, &guests);
    assert_int_equal(kicks, 1);
    assert_int_equal(guests, 0);
    collect(2, &kicks, &guests);
    assert_int_equal(kicks + guests, 0);
}

/* Many kicks before the target looks are one NMI: none is left over that the guest would get. */
static void test_REQ_SMP_3_kicks_do_not_pile_up(void **state)
{
    unsigned kicks, guests;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        smp_kick(&smp, 1);
    }
    assert_int_equal(fake_ipi_count(), 1);
    collect(1, &kicks, &guests);
    assert_int_equal(kicks, 1);
    assert_int_equal(guests, 0);
    smp_kick(&smp, 1); /* works again */
    assert_int_equal(fake_ipi_count(), 2);
    collect(1, &kicks, &guests);
    assert_int_equal(kicks, 1);
}

static void test_REQ_SMP_3_other_nmis_are_the_guests(void **state)
{
    unsigned kicks, guests;

    (void)state;
    fake_send_nmi(1);
    collect(1, &kicks, &guests);
    assert_int_equal(kicks, 0);
    assert_int_equal(guests, 1);
    /* A guest's NMI is seen between the flag and our NMI: they change roles, none is lost. */
    smp.cpu[1].kick = true;
    fake_send_nmi(1);
    collect(1, &kicks, &guests);
    assert_int_equal(kicks, 1);
    fake_send_nmi(1); /* the one that belonged to the flag */
    collect(1, &kicks, &guests);
    assert_int_equal(guests, 1);
}

static void test_numbers_are_checked(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(smp_kick(&smp, 3)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(smp_set_online(&smp, 3)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH((void)smp_kick_take(&smp, 3)), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, setup),
        cmocka_unit_test_setup(test_kick_reaches_only_its_target, setup),
        cmocka_unit_test_setup(test_REQ_SMP_3_kicks_do_not_pile_up, setup),
        cmocka_unit_test_setup(test_REQ_SMP_3_other_nmis_are_the_guests, setup),
        cmocka_unit_test_setup(test_numbers_are_checked, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
