/* The root secret: who gets it, who does not, and that nothing else is ever touched. */
#include "model_tpm.h"

#include <hw/cpu.h>
#include <stdio.h>
#include <tpm/root.h>

#define OURS                                                                                       \
    (TPMA_NV_AUTHWRITE | TPMA_NV_WRITEALL | TPMA_NV_WRITEDEFINE | TPMA_NV_AUTHREAD |               \
     TPMA_NV_NO_DA | TPMA_NV_READ_STCLEAR)
#define DONE (TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)

static struct model tpm;
static uint8_t fresh[TPM_ROOT_BYTES], secret[TPM_ROOT_BYTES];
static const uint8_t nothing[TPM_ROOT_BYTES];

static int setup(void **state)
{
    (void)state;
    tpm = (struct model){0};
    model_reset(&tpm);
    for (unsigned i = 0; i < sizeof(fresh); i++) {
        fresh[i] = (uint8_t)(3 * i + 7);
    }
    return 0;
}

/* An index as it is after a first boot, on a machine whose firmware closes the platform or not. */
static void have_index(bool by_platform)
{
    tpm.exists = true;
    tpm.public = (struct tpm_nv_public){
        .index = TPM_ROOT_INDEX,
        .attributes = OURS | DONE | (by_platform ? TPMA_NV_PLATFORMCREATE : 0),
        .name_algorithm = TPM_ALG_SHA256,
        .data_bytes = TPM_ROOT_BYTES,
    };
    memset(tpm.data, 0x77, sizeof(tpm.data));
    tpm.platform_open = by_platform;
}

static unsigned lines(void)
{
    unsigned count = 0;
    for (const char *at = fake_console_text(); *at != '\0'; at++) {
        count += *at == '\n';
    }
    return count;
}

/* A boot's part, which always ends, and leaves the TPM idle and to the guest. */
static enum tpm_root take(const uint8_t *ours)
{
    uint64_t start = fake_tsc();
    memset(secret, 0xa5, sizeof(secret));
    fake_console_clear();
    enum tpm_root outcome = tpm_root_secret(ours, secret);
    assert_in_range((fake_tsc() - start) / (hw_tsc_hz() / 1000), 0, TPM_ROOT_LIMIT_MS + 4000);
    assert_int_equal(tpm.device.misuses, 0);
    assert_false(tpm.device.active);
    assert_int_equal(lines(), outcome != TPM_ROOT_NO_TPM);
    if (outcome != TPM_ROOT_FOUND) {
        assert_memory_equal(secret, nothing, sizeof(secret));
    }
    return outcome;
}

static void is_found(const char *whose)
{
    assert_int_equal(take(fresh), TPM_ROOT_FOUND);
    assert_memory_equal(secret, tpm.data, sizeof(secret));
    assert_true(fake_console_contains(whose));
    assert_true(tpm.public.attributes & TPMA_NV_READLOCKED);
    assert_true(tpm.public.attributes & TPMA_NV_WRITELOCKED);
    assert_false(tpm.platform_open);
}

static void is_refused(const char *why)
{
    assert_int_equal(take(fresh), TPM_ROOT_UNUSABLE);
    assert_true(fake_console_contains(why));
    assert_true(fake_console_contains("no root secret from it"));
}

static void test_first_and_second_boot(void **state)
{
    (void)state;
    uint8_t first[TPM_ROOT_BYTES];
    is_found("TPM: new root secret in NV index 0x1804e43, which the guest cannot replace");
    assert_int_equal(tpm.public.index, TPM_ROOT_INDEX);
    assert_int_equal(tpm.public.attributes,
                     OURS | DONE | TPMA_NV_PLATFORMCREATE | TPMA_NV_READLOCKED);
    for (unsigned i = 0; i < sizeof(secret); i++) {
        assert_int_equal(secret[i], (uint8_t)(0xc0 + i) ^ fresh[i]);
    }
    memcpy(first, secret, sizeof(first));
    memset(fresh, 0x11, sizeof(fresh));
    model_reset(&tpm);
    is_found("TPM: root secret in NV index 0x1804e43, which the guest cannot replace");
    assert_memory_equal(secret, first, sizeof(first));
    assert_int_equal(tpm.defines + tpm.writes, 0);
    assert_int_equal(take(NULL), TPM_ROOT_UNUSABLE); /* again without a reset */
    assert_true(fake_console_contains("locked since before this boot"));
}

static void test_firmware_that_started_it_and_closed_the_platform(void **state)
{
    (void)state;
    const uint32_t codes[] = {0x185, 0x9a2, 0x98e};
    for (unsigned i = 0; i < 3; i++) {
        setup(state);
        tpm.started = true;
        tpm.platform_open = false;
        tpm.closed_code = codes[i];
        is_found("whoever has the owner's authorization can replace");
        assert_int_equal(tpm.public.attributes & TPMA_NV_PLATFORMCREATE, 0);
    }
}

static void test_no_tpm_2(void **state)
{
    (void)state;
    tpm.device.absent = true;
    assert_int_equal(take(fresh), TPM_ROOT_NO_TPM);
    tpm.device.absent = false;
    tpm.faulty = MODEL_STARTUP; /* as TPM 1.2 */
    tpm.times = 1;
    tpm.code = TPM_RC_BAD_TAG;
    assert_int_equal(take(fresh), TPM_ROOT_NO_TPM);
    tpm.device.faults = TIS_NEVER_GRANTS;
    is_refused("it does not let us in");
}

static void test_no_index_where_everything_has_an_owner(void **state)
{
    (void)state;
    tpm.platform_open = tpm.owner_open = false;
    is_refused("authorization of their own");
    assert_false(tpm.exists);
}

/* An owner's index must never take the place of a platform's that could not be defined. */
static void test_no_owners_index_where_the_platform_is_open(void **state)
{
    (void)state;
    tpm.faulty = MODEL_DEFINE;
    tpm.times = 1;
    tpm.code = 0x14b; /* TPM_RC_NV_SPACE */
    is_refused("the index cannot be defined (response 0x14b)");
    assert_false(tpm.exists);
    have_index(false);
    tpm.platform_open = true;
    is_refused("the owner's where it should be the platform's");
}

static void is_left_alone(void)
{
    struct tpm_nv_public before = tpm.public;
    uint8_t data[MODEL_BYTES];
    memcpy(data, tpm.data, sizeof(data));
    is_refused("not one of ours");
    assert_memory_equal(&tpm.public, &before, sizeof(before));
    assert_memory_equal(tpm.data, data, sizeof(data));
    assert_int_equal(tpm.defines + tpm.writes, 0);
}

static void test_others_indices_are_left_alone(void **state)
{
    (void)state;
    const uint32_t states =
        DONE | TPMA_NV_READLOCKED | TPMA_NV_PLATFORMCREATE; /* these have tests of their own */
    for (unsigned bit = 0; bit < 32; bit++) {
        for (unsigned done = 0; done < 2 && !(states & 1U << bit); done++) {
            model_reset(&tpm);
            have_index(true);
            tpm.public.attributes ^= 1U << bit;
            tpm.public.attributes &= done ? ~0U : ~DONE;
            is_left_alone();
        }
    }
    have_index(true);
    tpm.public.data_bytes = 31;
    is_left_alone();
    tpm.public.data_bytes = 33;
    is_left_alone();
    have_index(true);
    tpm.public.policy_bytes = 32;
    is_left_alone();
    have_index(true);
    tpm.public.name_algorithm = 0x0004;
    is_left_alone();
    have_index(true);
    tpm.public.index++;
    is_left_alone();
}

static void test_what_a_power_failure_left(void **state)
{
    (void)state;
    have_index(true);
    tpm.public.attributes &= ~DONE;
    assert_int_equal(take(NULL), TPM_ROOT_UNUSABLE);
    assert_true(fake_console_contains("no random numbers to make a secret of"));
    assert_int_equal(tpm.writes, 0);
    model_reset(&tpm);
    is_found("cannot replace");
    assert_int_equal(tpm.writes, 1);
    model_reset(&tpm);
    tpm.public.attributes &= ~TPMA_NV_WRITELOCKED;
    is_found("cannot replace");
    assert_int_equal(tpm.writes, 0);
}

static void test_a_lock_that_does_not_hold(void **state)
{
    (void)state;
    have_index(true);
    tpm.faulty = MODEL_READ_LOCK;
    tpm.times = 1;
    tpm.fault = MODEL_IGNORES;
    is_refused("the lock against reading does not hold");
    model_reset(&tpm);
    have_index(true);
    tpm.faulty = MODEL_READ; /* an error, but not the lock's */
    tpm.skip = tpm.times = 1;
    tpm.fault = MODEL_CODE;
    tpm.code = 0x101;
    is_refused("the lock against reading does not hold (response 0x101)");
}

static const uint32_t commands[] = {MODEL_STARTUP,    MODEL_READ_PUBLIC, MODEL_DEFINE,
                                    MODEL_HIERARCHY,  MODEL_GET_RANDOM,  MODEL_WRITE,
                                    MODEL_WRITE_LOCK, MODEL_READ,        MODEL_READ_LOCK};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void misbehave(void **state, uint32_t command, enum model_fault fault, uint32_t code,
                      unsigned times)
{
    setup(state);
    tpm.faulty = command;
    tpm.fault = fault;
    tpm.code = code;
    tpm.times = times;
}

/* A first boot, in which one command goes wrong in every way. */
static void test_any_command_can_fail(void **state)
{
    const enum model_fault faults[] = {MODEL_CODE, MODEL_SHORT, MODEL_LONG, MODEL_HANGS};
    for (unsigned i = 0; i < COMMANDS; i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            misbehave(state, commands[i], faults[kind], 0x101, 1);
            if (commands[i] == MODEL_STARTUP && faults[kind] != MODEL_CODE) {
                continue; /* its response is a header, below */
            }
            is_refused("TPM: ");
            /* Once it behaves again, the next boot makes up for it. */
            model_reset(&tpm);
            is_found("which the guest cannot replace");
        }
    }
}

static void test_warnings_are_waited_for(void **state)
{
    const uint32_t warnings[] = {0x922, 0x908, 0x90a, 0x920, 0x923};
    for (unsigned i = 0; i < COMMANDS; i++) {
        for (unsigned kind = 0; kind < 5; kind++) {
            misbehave(state, commands[i], MODEL_CODE, warnings[kind], 7);
            is_found("which the guest cannot replace");
            assert_int_equal(tpm.times, 0);
        }
        misbehave(state, commands[i], MODEL_CODE, 0x922, UINT32_MAX);
        is_refused("it does not answer as it should (timed out)");
        misbehave(state, commands[i], MODEL_CODE, 0x921, 1); /* TPM_RC_LOCKOUT: no use */
        is_refused("(response 0x921)");
    }
}

static void test_a_tpm_that_hangs_gets_no_second_command(void **state)
{
    (void)state;
    uint64_t start = fake_tsc();
    tpm.device.faults = TIS_NEVER_ANSWERS;
    is_refused("it does not answer as it should (timed out)");
    assert_int_equal(tpm.device.commands, 1);
    assert_in_range((fake_tsc() - start) / (hw_tsc_hz() / 1000), 3000, 3100);
}

static void test_the_secret_is_not_told(void **state)
{
    (void)state;
    char text[9];
    fake_console_clear();
    is_found("cannot replace");
    snprintf(text, sizeof(text), "%02x%02x%02x%02x", secret[0], secret[1], secret[2], secret[3]);
    assert_false(fake_console_contains(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_and_second_boot, setup),
        cmocka_unit_test_setup(test_firmware_that_started_it_and_closed_the_platform, setup),
        cmocka_unit_test_setup(test_no_tpm_2, setup),
        cmocka_unit_test_setup(test_no_index_where_everything_has_an_owner, setup),
        cmocka_unit_test_setup(test_no_owners_index_where_the_platform_is_open, setup),
        cmocka_unit_test_setup(test_others_indices_are_left_alone, setup),
        cmocka_unit_test_setup(test_what_a_power_failure_left, setup),
        cmocka_unit_test_setup(test_a_lock_that_does_not_hold, setup),
        cmocka_unit_test_setup(test_any_command_can_fail, setup),
        cmocka_unit_test_setup(test_warnings_are_waited_for, setup),
        cmocka_unit_test_setup(test_a_tpm_that_hangs_gets_no_second_command, setup),
        cmocka_unit_test_setup(test_the_secret_is_not_told, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
