/* Detection and hypercalls, on a vCPU that is a plain structure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>
#include <string.h>
#include <tv/tv.h>

struct vcpu {
    unsigned cpu, skipped;
    enum vcpu_width width;
    uint64_t gpr[16];
};

unsigned vcpu_cpu(const struct vcpu *vcpu)
{
    return vcpu->cpu;
}

uint64_t vcpu_gpr(const struct vcpu *vcpu, enum vcpu_gpr gpr)
{
    return vcpu->gpr[gpr];
}

void vcpu_set_gpr(struct vcpu *vcpu, enum vcpu_gpr gpr, uint64_t value)
{
    vcpu->gpr[gpr] = value;
}

enum vcpu_width vcpu_width(const struct vcpu *vcpu)
{
    return vcpu->width;
}

void vcpu_skip_instruction(struct vcpu *vcpu)
{
    vcpu->skipped++;
}

static struct tv tv;
static struct vcpu vcpu;

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    tv_init(&tv);
    memset(&vcpu, 0, sizeof vcpu);
    vcpu.width = VCPU_64BIT;
    vcpu.cpu = 1;
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
        vcpu.width = cases[i].width;
        assert_true(tv_cpuid(&tv, &vcpu, 0, &result));
        assert_int_equal(result.eax, 0x7a767274);
        assert_int_equal(result.ebx, 0xffffffff);
        assert_int_equal(result.ecx, cases[i].ecx);
        assert_int_equal(result.edx, 0);
    }
    struct tv_cpuid_result result;
    tv.running[1] = 77;
    assert_true(tv_cpuid(&tv, &vcpu, 0, &result));
    assert_int_equal(result.ebx, 77);
    vcpu.cpu = 0;
    assert_true(tv_cpuid(&tv, &vcpu, 0, &result));
    assert_int_equal(result.ebx, 0xffffffff);
}

static void test_other_subleaves_are_passed_through(void **state)
{
    (void)state;
    struct tv_cpuid_result result, untouched;
    memset(&result, 0x5a, sizeof result);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_false(tv_cpuid(&tv, &vcpu, 1, &result));
    assert_false(tv_cpuid(&tv, &vcpu, 0xffffffff, &result));
    assert_memory_equal(&result, &untouched, sizeof result);
}

static void test_call_logs_its_argument(void **state)
{
    (void)state;
    vcpu.gpr[VCPU_RAX] = 0xdeadbeef000000ff; /* the number is in EAX */
    vcpu.gpr[VCPU_RCX] = 0x123456789abcdef0;
    tv_hypercall(&tv, &vcpu);
    assert_int_equal(vcpu.gpr[VCPU_RAX], TV_OK);
    assert_int_equal(vcpu.skipped, 1);
    assert_true(fake_console_contains("0x123456789abcdef0"));
    fake_console_clear();
    vcpu.width = VCPU_32BIT;
    vcpu.gpr[VCPU_RAX] = TV_TEST;
    tv_hypercall(&tv, &vcpu);
    assert_true(fake_console_contains("0x9abcdef0"));
    assert_false(fake_console_contains("0x123456789abcdef0"));
}

/* REQ-PAL-10: every number ends in a documented error, touches RAX alone, and goes on after VMCALL.
 */
static void test_every_number(void **state)
{
    (void)state;
    static const uint32_t known[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 21, 22, 23};
    for (uint32_t number = 0; number < 0x300; number++) {
        for (int width = 0; width < 2; width++) {
            enum tv_error expected = number == 255 ? TV_OK : TV_ERROR_UNKNOWN_NUMBER;
            for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
                expected = known[i] == number ? TV_ERROR_NOT_AVAILABLE : expected;
            }
            memset(&vcpu, 0xff, sizeof vcpu);
            vcpu.cpu = 0;
            vcpu.skipped = 0;
            vcpu.width = width ? VCPU_64BIT : VCPU_32BIT;
            vcpu.gpr[VCPU_RAX] = number;
            struct vcpu after = vcpu;
            after.gpr[VCPU_RAX] = expected;
            after.skipped = 1;
            tv_hypercall(&tv, &vcpu);
            assert_memory_equal(&vcpu, &after, sizeof vcpu);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_detection, setup),
        cmocka_unit_test_setup(test_other_subleaves_are_passed_through, setup),
        cmocka_unit_test_setup(test_call_logs_its_argument, setup),
        cmocka_unit_test_setup(test_every_number, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
