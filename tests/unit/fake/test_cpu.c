/* CPUID, MSRs, control registers, XCR0 and time of the fake. */
#include "suite.h"

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

/* REQ-MSR-1: an MSR that does not exist raises #GP, a plain access to it is a crash. */
static void test_missing_msr(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_false(hw_rdmsr_safe(0x12345, &value));
    assert_int_equal(value, 77);
    assert_false(hw_wrmsr_safe(0x12345, 0));
    assert_int_equal(FAKE_CATCH(hw_rdmsr(0x12345)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_wrmsr(0x12345, 0)), FAKE_END_TRAP);
    assert_non_null(strstr(fake_ending_text(), "#GP"));
}

static void test_msr_write_rules(void **state)
{
    (void)state;
    uint64_t value;
    assert_false(hw_wrmsr_safe(0x480, 0));                 /* read-only */
    assert_false(hw_wrmsr_safe(0x277, 2));                 /* PAT type */
    assert_true(hw_wrmsr_safe(0x277, 0x0007040600070406)); /* PAT */
    assert_false(hw_wrmsr_safe(0xc0000100, 1ULL << 47));   /* not canonical */
    assert_true(hw_wrmsr_safe(0xc0000100, 0xffff800000000000));
    assert_false(hw_wrmsr_safe(0xc0000080, 0xd02)); /* EFER, reserved */
    assert_false(hw_wrmsr_safe(0xc0000080, 0));     /* LME with paging on */
    assert_false(hw_wrmsr_safe(0x3a, 5));           /* locked */
    assert_false(hw_wrmsr_safe(0x2ff, 0x802));      /* memory type */
    assert_false(hw_rdmsr_safe(0x79, &value));      /* write-only */
    assert_true(hw_wrmsr_safe(0x79, 0x1000));
    fake_msr_define(0x999, 5, ~0xfULL, false);
    assert_true(hw_wrmsr_safe(0x999, 6));
    assert_false(hw_wrmsr_safe(0x999, 0x10));
    assert_int_equal(hw_rdmsr(0x999), 6);
    fake_msr_remove(0x999);
    assert_false(hw_rdmsr_safe(0x999, &value));
}

static void test_msrs_are_per_cpu(void **state)
{
    (void)state;
    fake_machine_reset_cpus(2);
    fake_cpu_run(1);
    hw_wrmsr(0xc0000102, 0x1111);
    fake_select_cpu(1);
    assert_int_equal(hw_this_cpu(), 1);
    assert_int_equal(hw_rdmsr(0xc0000102), 0);
    assert_int_equal(fake_msr_get(0, 0xc0000102), 0x1111);
}

static void test_cpuid_follows_state(void **state)
{
    (void)state;
    fake_machine_reset_cpus(2);
    assert_false(hw_cpuid(1, 0).ecx & (1u << 27));
    hw_write_cr4(hw_read_cr4() | 1u << 18);
    assert_true(hw_cpuid(1, 0).ecx & (1u << 27)); /* OSXSAVE */
    fake_cpu_run(1);
    fake_select_cpu(1);
    assert_int_equal(hw_cpuid(1, 0).ebx >> 24, 2);
    assert_int_equal(hw_cpuid(0xb, 1).edx, 2);
    assert_int_equal(hw_cpuid(0xb, 1).ecx & 0xff, 1);
    assert_int_equal(hw_cpuid(0x12345678, 0).eax, hw_cpuid(0x16, 0).eax);
    assert_int_equal(hw_cpuid(7, 9).ebx, 0);
    fake_cpuid_clear_bits(7, 0, FAKE_EBX, 1u << 20);
    assert_int_equal(FAKE_CATCH(hw_write_cr4(hw_read_cr4() | 1u << 21)), FAKE_END_TRAP); /* SMAP */
}

static void test_models_differ(void **state)
{
    (void)state;
    struct fake_config config = fake_config_default();
    for (int model = 0; model < FAKE_MODEL_COUNT; model++) {
        config.model = (enum fake_model)model;
        fake_machine_reset(&config);
        bool has_vmx = model != FAKE_MODEL_NO_VMX;
        bool has_ept = has_vmx && model != FAKE_MODEL_NO_EPT;
        assert_int_equal(!!(hw_cpuid(1, 0).ecx & 0x20), has_vmx);
        assert_int_equal(fake_msr_exists(0x480), has_vmx);
        assert_int_equal(fake_msr_exists(0x48c), has_ept);
        assert_int_equal(fake_msr_exists(0x48d), has_ept);
        assert_non_null(fake_model_name((enum fake_model)model));
    }
}

static void test_control_registers(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(hw_write_cr0(hw_read_cr0() & ~0x80000000ULL)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_write_cr0(hw_read_cr0() | 1ULL << 32)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_write_cr4(0)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_write_cr0(hw_read_cr0() | 0x20)), FAKE_RETURNED);
    hw_write_cr2(0x1234);
    assert_int_equal(hw_read_cr2(), 0x1234);
    assert_int_equal(fake_cr_get(0, 2), 0x1234);
}

/* REQ-CR-7: what XSETBV refuses. */
static void test_xsetbv(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(hw_xsetbv_safe(0, 7)), FAKE_END_TRAP); /* CR4.OSXSAVE clear */
    hw_write_cr4(hw_read_cr4() | 1u << 18);
    assert_true(hw_xsetbv_safe(0, 7));
    assert_int_equal(fake_xcr0(0), 7);
    assert_false(hw_xsetbv_safe(0, 6));    /* x87 is always on */
    assert_false(hw_xsetbv_safe(0, 5));    /* AVX without SSE */
    assert_false(hw_xsetbv_safe(1, 7));    /* no XCR1 */
    assert_false(hw_xsetbv_safe(0, 0x27)); /* a third of AVX-512 */
    assert_false(hw_xsetbv_safe(0, 1 << 20 | 7));
    assert_int_equal(fake_xcr0(0), 7);
}

/* REQ-MEM-3 */
static void test_time(void **state)
{
    (void)state;
    uint64_t before = hw_rdtsc();
    hw_delay_us(1000);
    uint64_t passed = hw_rdtsc() - before;
    assert_true(passed >= hw_tsc_hz() / 1000 && passed < hw_tsc_hz() / 500);
    assert_int_equal(FAKE_CATCH(hw_delay_us(10000001)), FAKE_END_CHECK);
}

static void test_endings(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH((void)0), FAKE_RETURNED);
    assert_int_equal(FAKE_CATCH(hw_halt()), FAKE_END_HALT);
    assert_int_equal(FAKE_CATCH(hw_reset()), FAKE_END_RESET);
    assert_int_equal(FAKE_CATCH(fake_leave()), FAKE_END_LEAVE);
    volatile enum fake_ending inner = FAKE_RETURNED;
    enum fake_ending outer = FAKE_CATCH({
        inner = FAKE_CATCH(hw_halt());
        hw_reset();
    });
    assert_int_equal(inner, FAKE_END_HALT);
    assert_int_equal(outer, FAKE_END_RESET);
}

static void test_failures_and_counters(void **state)
{
    (void)state;
    uint64_t value = 0;
    fake_fail_nth(FAKE_RDMSR_SAFE, 2, 0);
    assert_true(hw_rdmsr_safe(0x10, &value));
    assert_false(hw_rdmsr_safe(0x10, &value));
    assert_true(hw_rdmsr_safe(0x10, &value));
    assert_int_equal(fake_calls(FAKE_RDMSR_SAFE), 3);
    assert_int_equal(fake_fail_hits(), 1);
    fake_fail_nth(FAKE_PHYS_READ, 1, STATUS_FAULT);
    assert_int_equal(hw_phys_read(hpa(0), &value, 8), STATUS_FAULT);
    fake_calls_clear();
    assert_int_equal(fake_calls(FAKE_RDMSR_SAFE), 0);
}

static uint32_t port_echo(void *arg, uint16_t port, unsigned bytes, bool is_write, uint32_t value)
{
    uint32_t *last = arg;
    *last = is_write ? value : *last;
    return port + bytes;
}

static void test_ports(void **state)
{
    (void)state;
    uint32_t last = 0;
    assert_int_equal(hw_io_read(0x64, 1), 0xff);
    fake_io_set(0x64, 0x1234);
    assert_int_equal(hw_io_read(0x64, 1), 0x34);
    fake_on_io(0x3f8, 0x3ff, port_echo, &last);
    hw_io_write(0x3f9, 2, 0xabcdef);
    assert_int_equal(last, 0xcdef);
    assert_int_equal(hw_io_read(0x3f9, 2), 0x3fb);
    assert_int_equal(fake_io_count(), 4);
    assert_int_equal(fake_io_at(2)->value, 0xcdef);
    assert_true(fake_io_at(2)->is_write);
    assert_int_equal(FAKE_CATCH(hw_io_read(0, 3)), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_missing_msr, setup),
        cmocka_unit_test_setup(test_msr_write_rules, setup),
        cmocka_unit_test_setup(test_msrs_are_per_cpu, setup),
        cmocka_unit_test_setup(test_cpuid_follows_state, setup),
        cmocka_unit_test_setup(test_models_differ, setup),
        cmocka_unit_test_setup(test_control_registers, setup),
        cmocka_unit_test_setup(test_xsetbv, setup),
        cmocka_unit_test_setup(test_time, setup),
        cmocka_unit_test_setup(test_endings, setup),
        cmocka_unit_test_setup(test_failures_and_counters, setup),
        cmocka_unit_test_setup(test_ports, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
