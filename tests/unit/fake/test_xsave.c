/* Extended state of the fake: XSAVE and XRSTOR by component, and who may use the registers. */
#include "small_vmm.h"

#include <hw/xsave.h>

#define X87_SSE 3
#define ALL 0xe7
#define CR4_OSXSAVE (1U << 18)
#define CR0_TS 8U
#define HEADER 512

static uint8_t area[4096] __attribute__((aligned(64)));

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    hw_write_cr4(hw_read_cr4() | CR4_OSXSAVE);
    assert_true(hw_xsetbv_safe(0, ALL));
    memset(area, 0, sizeof area);
    area[25] = 0x1f; /* MXCSR = 0x1f80 */
    area[24] = 0x80;
    return 0;
}

static void fill(uint8_t first)
{
    for (unsigned i = 0; i < FAKE_COMPONENT_COUNT; i++) {
        if (i != FAKE_PT) {
            fake_vector_fill(0, (enum fake_component)i, (uint8_t)(first + i));
        }
    }
}

static void test_state_goes_round(void **state)
{
    (void)state;
    assert_int_equal(hw_xgetbv(0), ALL);
    fill(1);
    fake_mxcsr_set(0, 0x1234);
    hw_xsave(area, ALL);
    assert_int_equal(area[HEADER], ALL);
    fill(0xe0);
    fake_mxcsr_set(0, 0);
    hw_xrstor(area, ALL);
    assert_int_equal(fake_mxcsr(0), 0x1234);
    for (unsigned i = 0; i < FAKE_COMPONENT_COUNT; i++) {
        enum fake_component component = (enum fake_component)i;
        if (component != FAKE_PT) {
            assert_int_equal(fake_vector_get(0, component), i + (ALL >> i & 1 ? 1 : 0xe0));
            assert_true(fake_vector_is_whole(0, component));
        }
    }
}

static void test_absent_components_become_initial(void **state)
{
    (void)state;
    fake_vector_fill(0, FAKE_SSE, 1);
    fake_vector_fill(0, FAKE_AVX, 2);
    hw_xrstor(area, X87_SSE);
    assert_int_equal(fake_vector_get(0, FAKE_SSE), 0);
    assert_int_equal(fake_vector_get(0, FAKE_AVX), 2); /* was not asked for */
    assert_int_equal(fake_mxcsr(0), 0x1f80);
    hw_xsave(area, ALL);
    assert_int_equal(area[HEADER], 1 << FAKE_AVX); /* what is initial is not present */
}

static void test_mistakes_end_the_machine(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(hw_xsave(area + 8, X87_SSE)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_xsave(area, ALL | 1 << FAKE_PKRU)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_xrstor(area, 8)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_xgetbv(1)), FAKE_END_TRAP);
    area[26] = 1; /* MXCSR bit 16 */
    assert_int_equal(FAKE_CATCH(hw_xrstor(area, X87_SSE)), FAKE_END_TRAP);
    area[26] = 0;
    area[HEADER + 1] = 2; /* PKRU: not in XCR0 */
    assert_int_equal(FAKE_CATCH(hw_xrstor(area, X87_SSE)), FAKE_END_TRAP);
    area[HEADER + 1] = 0;
    area[HEADER + 15] = 0x80; /* XCOMP_BV: compacted */
    assert_int_equal(FAKE_CATCH(hw_xrstor(area, X87_SSE)), FAKE_END_TRAP);
    area[HEADER + 15] = 0;
    assert_int_equal(FAKE_CATCH(hw_xrstor(area, X87_SSE)), FAKE_RETURNED);
    hw_write_cr0(hw_read_cr0() | CR0_TS);
    assert_int_equal(FAKE_CATCH(hw_xsave(area, X87_SSE)), FAKE_END_TRAP);
    hw_write_cr0(hw_read_cr0() & ~(uint64_t)CR0_TS);
    hw_write_cr4(hw_read_cr4() & ~(uint64_t)CR4_OSXSAVE);
    assert_int_equal(FAKE_CATCH(hw_xsave(area, X87_SSE)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_xgetbv(0)), FAKE_END_TRAP);
}

/* What control registers make of an instruction: 0 = it executes, else the exception. */
static const struct {
    uint64_t cr0, cr4, xcr0;
    enum fake_component component;
    unsigned vector;
} cases[] = {
    {0, 0, 1, FAKE_X87, 0},
    {4, 0, 1, FAKE_X87, 7},
    {8, 0, 1, FAKE_X87, 7},
    {0, 0, 1, FAKE_SSE, 6},
    {0, 0x200, 1, FAKE_SSE, 0},
    {4, 0x200, 1, FAKE_SSE, 6},
    {8, 0x200, 1, FAKE_SSE, 7},
    {0, 0x200, 7, FAKE_AVX, 6},
    {0, 0x40200, 3, FAKE_AVX, 6},
    {0, 0x40200, 7, FAKE_AVX, 0},
    {8, 0x40200, 7, FAKE_AVX, 7},
    {0, 0x40200, 7, FAKE_OPMASK, 6},
    {0, 0x40200, 0xe7, FAKE_HI16_ZMM, 0},
    {0, 0x40200, 0xe7, FAKE_PKRU, 6},
    {0, 0x400000, 1, FAKE_PKRU, 0},
};

static void use_vectors(struct fake_guest *guest)
{
    uint64_t cr0 = fake_guest_get(guest, F_GUEST_CR0), cr4 = fake_guest_get(guest, F_GUEST_CR4);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t value = 0;
        size_t delivered = fake_delivery_count(0);
        fake_guest_put(guest, F_GUEST_CR0, cr0 | cases[i].cr0);
        fake_guest_put(guest, F_GUEST_CR4, cr4 | cases[i].cr4);
        fake_xcr0_set(0, cases[i].xcr0);
        bool written = fake_guest_vector_write(guest, cases[i].component, 0x42);
        assert_int_equal(written, cases[i].vector == 0);
        if (written) {
            assert_true(fake_guest_vector_read(guest, cases[i].component, &value));
            assert_int_equal(value, 0x42);
        } else {
            assert_int_equal(fake_delivery_at(0, delivered)->vector, cases[i].vector);
        }
    }
    fake_guest_vmcall(guest);
}

static void test_guests_need_their_control_registers(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, use_vectors, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_state_goes_round, setup),
        cmocka_unit_test_setup(test_absent_components_become_initial, setup),
        cmocka_unit_test_setup(test_mistakes_end_the_machine, setup),
        cmocka_unit_test_setup(test_guests_need_their_control_registers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
