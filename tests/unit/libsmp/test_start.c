/* libsmp/start.c: INIT-SIPI-SIPI to every further CPU (REQ-BOOT-1's logic, REQ-SMP-1). */
#include "suite.h"

#include <fake/machine.h>
#include <hw/cpu.h>
#include <smp/start.h>
#include <string.h>

#define ICR_INIT 0x4500u
#define ICR_SIPI 0x4608u /* the fake's trampoline is at 0x8000 */

static struct smp_table table;

static void reset_machine(unsigned cpus, bool x2apic)
{
    struct fake_config config = fake_config_default();

    config.cpus = cpus;
    config.x2apic = x2apic;
    fake_machine_reset(&config);
    smp_table_clear(&table);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        assert_int_equal(smp_table_add(&table, fake_apic_id(cpu)), STATUS_OK);
    }
    table.cpu[0].boot = true;
}

static uint64_t sent_tsc[64];

/* When each IPI was sent, seen at the delays after it. */
static void note_times(void *arg)
{
    (void)arg;
    size_t count = fake_ipi_count();
    if (count > 0 && count < 64 && sent_tsc[count] == 0) {
        sent_tsc[count] = fake_tsc();
    }
}

static void assert_ipi(size_t index, uint32_t apic_id, uint32_t command)
{
    const struct fake_ipi *ipi = fake_ipi_at(index);

    assert_non_null(ipi);
    assert_int_equal(ipi->from, 0);
    assert_true(ipi->icr == ((uint64_t)apic_id << 32 | command));
}

static void test_REQ_BOOT_1_starts_all(void **state)
{
    static const unsigned counts[] = {2, 4, CONFIG_MAX_CPUS};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
            reset_machine(counts[i], x2apic != 0);
            memset(fake_ram(0x8000, 4096), 0x77, 4096);
            assert_int_equal(smp_start_all(&table), STATUS_OK);
            assert_int_equal(fake_ipi_count(), 2 * (counts[i] - 1));
            for (unsigned cpu = 1; cpu < counts[i]; cpu++) {
                assert_int_equal(fake_cpu_state(cpu), FAKE_CPU_RUNNING);
                assert_int_equal(fake_cpu_sipi_vector(cpu), 8);
                assert_ipi(2 * cpu - 2, table.cpu[cpu].apic_id, ICR_INIT);
                assert_ipi(2 * cpu - 1, table.cpu[cpu].apic_id, ICR_SIPI);
            }
            assert_int_equal(*(uint8_t *)fake_ram(0x8fff, 1), 0x77); /* the page is restored */
            assert_string_equal(fake_console_text(), "");
        }
    }
}

static void test_one_cpu_sends_nothing(void **state)
{
    (void)state;
    reset_machine(1, false);
    assert_int_equal(smp_start_all(&table), STATUS_OK);
    assert_int_equal(fake_ipi_count(), 0);
    assert_int_equal(fake_calls(FAKE_AP_BEGIN), 0);
}

/* A CPU that never comes: the SDM's sequence with its waits, a report, INIT, and the page back. */
static void test_timeout(void **state)
{
    uint64_t us;

    (void)state;
    reset_machine(3, false);
    memset(sent_tsc, 0, sizeof(sent_tsc));
    memset(fake_ram(0x8000, 4096), 0x77, 4096);
    fake_cpu_break(1);
    fake_on_pause(note_times, NULL);
    us = hw_tsc_hz() / 1000000;
    uint64_t start = fake_tsc();
    assert_int_equal(smp_start_all(&table), STATUS_TIMEOUT);
    assert_int_equal(fake_ipi_count(), 4);
    assert_ipi(0, 2, ICR_INIT);
    assert_ipi(1, 2, ICR_SIPI);
    assert_ipi(2, 2, ICR_SIPI);
    assert_ipi(3, 2, ICR_INIT);
    assert_true(sent_tsc[2] - start >= 10000 * us);     /* 10 ms before the first SIPI */
    assert_true(sent_tsc[3] - sent_tsc[2] >= 200 * us); /* 200 us before the second */
    assert_true(fake_tsc() - sent_tsc[3] >= (CONFIG_AP_START_TIMEOUT_US - 100) * us);
    assert_true(fake_tsc() - start < 2 * CONFIG_AP_START_TIMEOUT_US * us);
    assert_true(fake_console_contains("CPU 1 (APIC ID 2) did not start within 200 ms"));
    assert_int_equal(fake_calls(FAKE_AP_FINISH), 1);
    assert_int_equal(*(uint8_t *)fake_ram(0x8000, 1), 0x77);
    assert_int_equal(fake_cpu_state(1), FAKE_CPU_WAIT_FOR_SIPI);
    assert_int_equal(fake_cpu_state(2), FAKE_CPU_WAIT_FOR_SIPI); /* nobody after it is started */
}

/* One that needs the second SIPI: CPU 1 "hears" only after the first one. */
static void heal(void *arg)
{
    (void)arg;
    if (fake_ipi_count() == 2) {
        fake_on_pause(NULL, NULL);
        fake_cpu_run(1);
    }
}

static void test_late_answer(void **state)
{
    (void)state;
    reset_machine(2, false);
    fake_cpu_break(1);
    fake_on_pause(heal, NULL);
    assert_int_equal(smp_start_all(&table), STATUS_OK);
    assert_int_equal(fake_ipi_count(), 2);
}

static void test_no_trampoline_page(void **state)
{
    (void)state;
    reset_machine(2, false);
    fake_fail_nth(FAKE_AP_BEGIN, 1, 0);
    assert_int_equal(smp_start_all(&table), STATUS_NO_MEMORY);
    assert_int_equal(fake_ipi_count(), 0);
    assert_true(fake_console_contains("below 1 MiB"));
}

static void test_xapic_cannot_address(void **state)
{
    (void)state;
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        reset_machine(2, x2apic != 0);
        table.cpu[1].apic_id = 255;
        fake_apic_id_set(1, 255);
        assert_int_equal(smp_start_all(&table), x2apic ? STATUS_OK : STATUS_UNSUPPORTED);
        assert_int_equal(fake_ipi_count(), x2apic ? 2 : 0);
        assert_int_equal(fake_console_contains("APIC ID 255) needs x2APIC"), !x2apic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_REQ_BOOT_1_starts_all),
        cmocka_unit_test(test_one_cpu_sends_nothing),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_no_trampoline_page),
        cmocka_unit_test(test_xapic_cannot_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
