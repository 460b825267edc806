/* Which port accesses the hypapp hears of first, and that all reach the hardware.  REQ-PAL-7,
 * REQ-BOOT-9. */
#include "one_vcpu.h"
#include "power.h"

#include <smp/fadt.h>
#include <vmx/state.h>

#define PM1 0xb004

static unsigned closings, summaries;

void app_closing(unsigned cpu)
{
    assert_int_equal(cpu, 0);
    assert_int_equal(fake_io_count(), 0); /* before the machine is gone */
    closings++;
}

void nacre_summary(void)
{
    summaries++;
}

static int setup(void **state)
{
    (void)state;
    vmx_state_protected32(one_vcpu(), 0x100000, 0);
    nacre.fadt.pm1a_control_port = PM1;
    nacre.fadt.reset_supported = true;
    nacre.fadt.reset_space = SMP_ACPI_SPACE_IO;
    nacre.fadt.reset_address = 0x64;
    nacre.fadt.reset_value = 0x7e;
    return 0;
}

/* SDM table "Exit Qualification for I/O Instructions". */
static uint64_t qualification(uint16_t port, unsigned bytes, bool in, bool string)
{
    return (uint64_t)port << 16 | (bytes - 1) | (in ? 8 : 0) | (string ? 16 : 0);
}

static void ask(uint16_t port, unsigned bytes, bool in, bool string, uint64_t rax)
{
    struct vcpu *vcpu = &nacre.cpu[0].vcpu;
    struct vmx_exit exit = {.reason = VMX_EXIT_IO,
                            .qualification = qualification(port, bytes, in, string)};

    fake_machine_reset(NULL);
    setup(NULL);
    closings = summaries = 0;
    vcpu_set_gpr(vcpu, VCPU_RAX, rax);
    power_handle_io(vcpu, &exit);
}

static void writes(uint16_t port, unsigned bytes, uint32_t value, unsigned closed, unsigned told)
{
    ask(port, bytes, false, false, value | 0xaULL << 32);
    assert_int_equal(closings, closed);
    assert_int_equal(summaries, told);
    assert_int_equal(fake_io_count(), 1);
    assert_true(fake_io_at(0)->is_write && fake_io_at(0)->port == port);
    assert_int_equal(fake_io_at(0)->bytes, bytes);
}

static void test_endings(void **state)
{
    (void)state;
    writes(PM1, 2, 0x2000, 1, 1);
    writes(PM1, 4, 0x3c01, 1, 1);
    writes(0xcf9, 1, 6, 1, 0);
    writes(0xcf9, 1, 4, 1, 0);
    writes(0xcf8, 2, 0x0600, 1, 0);
    writes(0x92, 1, 1, 1, 0);
    writes(0x64, 1, 0xfe, 1, 0);
    writes(0x64, 1, 0xf0, 1, 0);
    writes(0x64, 1, 0x7e, 1, 0); /* ACPI's reset register */
}

static void test_what_is_none(void **state)
{
    (void)state;
    writes(PM1, 2, 0x1c01, 0, 0);
    writes(PM1, 1, 0x20, 0, 0);
    writes(0xcf9, 1, 2, 0, 0);
    writes(0xcf8, 4, 0x80000600, 0, 0); /* an address of PCI's configuration space */
    writes(0xcf8, 1, 6, 0, 0);
    writes(0x92, 1, 2, 0, 0);
    writes(0x64, 1, 0xff, 0, 0);
    writes(0x64, 1, 0xae, 0, 0);
    writes(0x60, 1, 0xfe, 0, 0);
}

static void test_reading(void **state)
{
    (void)state;
    const uint64_t rax = 0x1122334455667788,
                   want[] = {0x11223344556677ff, 0x112233445566ffff, 0, 0xffffffff};
    for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
        ask(0x64, bytes, true, false, rax);
        assert_true(vcpu_gpr(&nacre.cpu[0].vcpu, VCPU_RAX) == want[bytes - 1]);
        assert_int_equal(closings + summaries, 0);
    }
}

static bool exits(uint16_t port, unsigned bytes)
{
    const uint8_t *bitmap =
        hw_region_pointer(port < 0x8000 ? nacre.io_bitmap_a : nacre.io_bitmap_b, PAGE_BYTES);
    bool any = false;
    for (unsigned i = 0; i < bytes; i++) {
        unsigned bit = (port + i) & 0x7fff;
        any = any || (bitmap[bit / 8] >> bit % 8 & 1) != 0;
    }
    return any;
}

/* Without PALs drivers reach PCI's configuration space without an exit. */
static void test_watching(void **state)
{
    (void)state;
    setup(NULL);
    nacre.io_bitmap_a = hpa(fake_boot_info()->pool.v);
    nacre.io_bitmap_b = hpa(fake_boot_info()->pool.v + PAGE_BYTES);
    void *a = hw_region_pointer(nacre.io_bitmap_a, PAGE_BYTES);
    void *b = hw_region_pointer(nacre.io_bitmap_b, PAGE_BYTES);
    memset(a, 0, PAGE_BYTES);
    memset(b, 0, PAGE_BYTES);
    nacre.fadt.reset_address = 0xfe00;
    power_intercept(a, b);
    for (unsigned round = 0; round < 3; round++) {
        bool on = round == 1;
        assert_true(exits(PM1, 1) && exits(PM1 + 1, 1) && !exits(PM1 + 2, 1));
        assert_true(exits(0xcf8, 4) == on && !exits(0xcf8, 1) && !exits(0xcfa, 2));
        assert_true(exits(0x64, 1) == on && exits(0x92, 1) == on && exits(0xfe00, 1) == on);
        assert_false(exits(0x60, 4) || exits(0x65, 1) || exits(0x91, 1));
        power_watch_resets(a, b, !on);
    }
}

/* INS and OUTS would get past all this: #GP, and nothing reaches the port. */
static void test_strings(void **state)
{
    (void)state;
    ask(0xcf9, 1, false, true, 6);
    assert_int_equal(fake_io_count(), 0);
    assert_true((nacre.cpu[0].vcpu.event.info & 0xff) == 13);
    assert_int_equal(closings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_endings, setup),
        cmocka_unit_test_setup(test_what_is_none, setup),
        cmocka_unit_test_setup(test_reading, setup),
        cmocka_unit_test_setup(test_watching, setup),
        cmocka_unit_test_setup(test_strings, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
