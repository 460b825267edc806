/* Detection and hypercalls: numbers, widths, privilege levels, and what a PAL may ask for. */
#include "pal_test.h"

#include "context.h"

static struct vcpu *const vcpu = &suite.guest[1];

static int setup(void **state)
{
    (void)state;
    fake_machine_reset_cpus(SUITE_CPUS);
    fake_select_cpu(1);
    suite_vcpus_init();
    static struct tv_config config;
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        config.isolated[cpu] = &suite.isolated[cpu];
    }
    static struct pool pool;
    static uint64_t bitmap[1];
    pool_init(&pool, fake_boot_info()->pool, 8, bitmap);
    struct ept_features features = {.usable = true};
    assert_int_equal(ept_init(&suite.map, &pool, &features, SUITE_PHYS_BITS), STATUS_OK);
    config.guest_map = &suite.map; /* empty: no memory of the guest's can be read */
    tv_init(&suite.tv, &config);
    return 0;
}

static void test_detection(void **state)
{
    (void)state;
    static const struct {
        enum vcpu_width width;
        uint32_t ecx;
    } cases[] = {{VCPU_16BIT, 0}, {VCPU_32BIT, 0}, {VCPU_64BIT, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct tv_cpuid_result result;
        memset(&result, 0x5a, sizeof result);
        vcpu->width = cases[i].width;
        vcpu->paging.cpl = (unsigned)i; /* from any privilege level */
        assert_true(tv_cpuid(&suite.tv, vcpu, 0, &result));
        assert_int_equal(result.eax, 0x7a767274);
        assert_int_equal(result.ebx, 0xffffffff);
        assert_int_equal(result.ecx, cases[i].ecx);
        assert_int_equal(result.edx, 0);
    }
    struct tv_cpuid_result result;
    suite.tv.cpu[1].id = 77;
    assert_true(tv_cpuid(&suite.tv, vcpu, 0, &result));
    assert_int_equal(result.ebx, 77);
    fake_select_cpu(0);
    assert_true(tv_cpuid(&suite.tv, &suite.guest[0], 0, &result));
    assert_int_equal(result.ebx, 0xffffffff);
}

static void test_other_subleaves_are_passed_through(void **state)
{
    (void)state;
    struct tv_cpuid_result result, untouched;
    memset(&result, 0x5a, sizeof result);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_false(tv_cpuid(&suite.tv, vcpu, 1, &result));
    assert_false(tv_cpuid(&suite.tv, vcpu, 0xffffffff, &result));
    assert_memory_equal(&result, &untouched, sizeof result);
}

static void test_call_logs_its_argument(void **state)
{
    (void)state;
    vcpu->gpr[VCPU_RAX] = 0xdeadbeef000000ff; /* the number is in EAX */
    vcpu->gpr[VCPU_RCX] = 0x123456789abcdef0;
    tv_hypercall(&suite.tv, vcpu);
    assert_int_equal(vcpu->gpr[VCPU_RAX], TV_OK);
    assert_int_equal(vcpu->skipped, 1);
    assert_true(fake_console_contains("0x123456789abcdef0"));
    fake_console_clear();
    vcpu->width = VCPU_32BIT;
    vcpu->gpr[VCPU_RAX] = TV_TEST;
    tv_hypercall(&suite.tv, vcpu);
    assert_true(fake_console_contains("0x9abcdef0"));
    assert_false(fake_console_contains("0x123456789abcdef0"));
}

static bool is_one_of(uint32_t number, const uint32_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == number) {
            return true;
        }
    }
    return false;
}

static const uint32_t services[] = {3,  4,  5,  7,     8,     9,     10,    11,    12,    13,
                                    21, 22, 23, 0x110, 0x111, 0x112, 0x113, 0x114, 0x115, 0x116};
static const uint32_t for_processes[] = {1, 2, 6, 0x100, 0x101, 0x102, 0x103};

/* With arguments that point nowhere, and nothing registered. */
static enum tv_error expected_result(uint32_t number, unsigned cpl, enum vcpu_width width)
{
    if (number == 255) {
        return TV_OK;
    }
    if (is_one_of(number, services, sizeof services / sizeof services[0])) {
        return TV_ERROR_OUTSIDE_PAL;
    }
    if (!is_one_of(number, for_processes, sizeof for_processes / sizeof for_processes[0])) {
        return TV_ERROR_UNKNOWN_NUMBER;
    }
    if (cpl != 3) {
        return TV_ERROR_NOT_USER;
    }
    if (width == VCPU_16BIT) {
        return TV_ERROR_WIDTH;
    }
    if (number == TV_NV_EXPORT) {
        return TV_ERROR_NO_ROOT;
    }
    bool by_name = number == TV_UNREG || number == TV_SHARE || number == TV_PAL_UNREGISTER;
    return by_name ? TV_ERROR_NO_SUCH_PAL : TV_ERROR_ADDRESS;
}

/* REQ-PAL-10: every number from every privilege level and width ends in a documented error, touches
 * RAX alone, and goes on after VMCALL. */
static void test_every_number(void **state)
{
    (void)state;
    static const enum vcpu_width widths[] = {VCPU_16BIT, VCPU_32BIT, VCPU_64BIT};
    for (uint32_t number = 0; number < 0x300; number++) {
        for (unsigned i = 0; i < 12; i++) {
            memset(vcpu->gpr, 0xff, sizeof vcpu->gpr);
            vcpu->rflags = ~0ULL;
            vcpu->rip = 0x1234;
            vcpu->skipped = 0;
            vcpu->width = widths[i / 4];
            vcpu->paging.cpl = i % 4;
            vcpu->paging.cr0 = 0x80000011;
            vcpu->gpr[VCPU_RAX] = number | 0xa5ULL << 32;
            struct vcpu after = *vcpu;
            after.gpr[VCPU_RAX] = expected_result(number, i % 4, widths[i / 4]);
            after.skipped = 1;
            tv_hypercall(&suite.tv, vcpu);
            assert_memory_equal(vcpu, &after, sizeof *vcpu);
        }
    }
    assert_false(suite.stopped);
}

/* Of a PAL without memory, on a machine without keys. */
static enum tv_error expected_service(uint32_t number)
{
    switch (number) {
    case TV_PCRREAD:
        return TV_ERROR_PCR; /* the index is wrong, too */
    case TV_PCREXT:
    case TV_GENRAND:
    case TV_PCR_READ:
    case TV_PCR_EXTEND:
    case TV_RANDOM:
        return TV_ERROR_ADDRESS;
    case TV_NV_GETSIZE:
    case TV_NV_READALL:
    case TV_NV_WRITEALL:
        return TV_ERROR_NV_OWNER;
    case TV_QUOTE_1:
    case TV_QUOTE:
    case TV_ID_GETPUB:
    case TV_QUOTE_PAL:
    case TV_QUOTE_KEY:
        return TV_ERROR_NO_ROOT;
    default:
        return TV_ERROR_ADDRESS;
    }
}

/* The same numbers from inside a PAL: TEST and the micro-TPM's. */
static void test_every_number_inside_a_pal(void **state)
{
    (void)state;
    struct vcpu *isolated = &suite.isolated[1];
    struct vcpu_stop stop = {.reason = VCPU_STOP_CALL};
    vcpu_load(isolated);
    isolated->active = true;
    isolated->width = VCPU_64BIT;
    suite.tv.context[5].plan.signature.width = VCPU_64BIT;
    suite.tv.cpu[1].running = &suite.tv.context[5];
    suite.tv.cpu[1].memory.pal = &suite.tv.registry.pal[5];
    suite.tv.cpu[1].memory.context = &suite.tv.context[5];
    for (uint32_t number = 0; number < 0x300; number++) {
        enum tv_error expected = expected_result(number, 3, VCPU_64BIT);
        if (expected == TV_ERROR_OUTSIDE_PAL) {
            expected = expected_service(number);
        } else if (expected != TV_OK && expected != TV_ERROR_UNKNOWN_NUMBER) {
            expected = TV_ERROR_INSIDE_PAL;
        }
        memset(isolated->gpr, 0xff, sizeof isolated->gpr);
        isolated->gpr[VCPU_RAX] = number | 0xa5ULL << 32;
        isolated->skipped = 0;
        struct vcpu after = *isolated;
        after.gpr[VCPU_RAX] = expected;
        after.skipped = 1;
        tv_isolated_stop(&suite.tv, isolated, &stop);
        assert_memory_equal(isolated, &after, sizeof *isolated);
    }
    assert_ptr_equal(suite.tv.cpu[1].running, &suite.tv.context[5]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_detection, setup),
        cmocka_unit_test_setup(test_other_subleaves_are_passed_through, setup),
        cmocka_unit_test_setup(test_call_logs_its_argument, setup),
        cmocka_unit_test_setup(test_every_number, setup),
        cmocka_unit_test_setup(test_every_number_inside_a_pal, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
