/* The FIFO interface: commands reach the device whole, and no misbehaviour lasts for ever. */
#include "tis_device.h"

#include <hw/cpu.h>
#include <tpm/link.h>

static struct tis_device device;
static uint8_t response[64];
static size_t response_bytes;
static unsigned answer_bytes;  /* how many come */
static uint32_t answer_claims; /* how many the header tells */

static void echo(struct tis_device *tpm)
{
    for (unsigned i = 0; i < answer_bytes; i++) {
        tpm->out[i] = (uint8_t)(i * 7 + 1);
    }
    for (unsigned i = 0; i < 4; i++) {
        tpm->out[2 + i] = (uint8_t)(answer_claims >> (24 - 8 * i));
    }
    tpm->out_used = answer_bytes;
}

static int setup(void **state)
{
    (void)state;
    tis_begin(&device, echo);
    answer_bytes = answer_claims = 40;
    return 0;
}

static uint64_t milliseconds(uint64_t since)
{
    return (fake_tsc() - since) * 1000 / hw_tsc_hz();
}

static enum status exchange_bytes(size_t bytes)
{
    uint8_t command[200] = {0x80, 0x01};
    for (size_t i = 6; i < bytes; i++) {
        command[i] = (uint8_t)(i * 3);
    }
    command[5] = (uint8_t)bytes;
    enum status status =
        tpm_link_exchange(command, bytes, response, sizeof(response), &response_bytes);
    if (status == STATUS_OK) {
        assert_int_equal(device.in_used, bytes);
        assert_memory_equal(device.in, command, bytes);
    }
    return status;
}

static void test_commands_and_responses_arrive_whole(void **state)
{
    (void)state;
    assert_int_equal(tpm_link_open(), STATUS_OK);
    for (unsigned burst = 1; burst < 70; burst++) {
        device.burst = burst;
        device.pause = burst % 4;
        for (unsigned bytes = 10; bytes < 130; bytes += 13) {
            answer_bytes = answer_claims = 10 + (bytes + burst) % 55;
            assert_int_equal(exchange_bytes(bytes), STATUS_OK);
            assert_int_equal(response_bytes, answer_bytes);
            assert_memory_equal(response, device.out, answer_bytes);
        }
    }
    assert_int_equal(device.misuses, 0);
    tpm_link_close();
    assert_false(device.active);
    assert_int_equal(device.releases, 1);
    assert_int_equal(device.state, TIS_READY);
    assert_int_equal(device.misuses, 0);
    tpm_link_close(); /* not ours any more */
    assert_int_equal(device.releases, 1);
}

static void test_no_tpm_is_one_look(void **state)
{
    (void)state;
    uint64_t start = fake_tsc();
    device.absent = true;
    assert_int_equal(tpm_link_open(), STATUS_NOT_FOUND);
    tpm_link_close();
    device.absent = false;
    device.did_vid = 0;
    assert_int_equal(tpm_link_open(), STATUS_NOT_FOUND);
    device.did_vid = ~0U;
    assert_int_equal(tpm_link_open(), STATUS_NOT_FOUND);
    tpm_link_close();
    assert_int_equal(milliseconds(start), 0);
    assert_int_equal(device.releases, 0);
    assert_int_equal(device.misuses, 0);
}

static void test_a_locality_that_is_never_ours(void **state)
{
    (void)state;
    const unsigned faults[] = {TIS_NEVER_VALID, TIS_NEVER_GRANTS};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t start = fake_tsc();
        device.faults = faults[i];
        assert_int_equal(tpm_link_open(), STATUS_TIMEOUT);
        assert_in_range(milliseconds(start), 750, 800);
    }
}

static void test_every_wait_ends(void **state)
{
    (void)state;
    const struct {
        unsigned fault;
        enum status status;
        unsigned at_least_ms, at_most_ms;
    } cases[] = {
        {TIS_NEVER_READY, STATUS_TIMEOUT, 2000, 2050},
        {TIS_NEVER_BURSTS, STATUS_TIMEOUT, 750, 800},
        {TIS_NEVER_EXPECTS, STATUS_TIMEOUT, 750, 800},
        {TIS_ALWAYS_EXPECTS, STATUS_TIMEOUT, 750, 800},
        {TIS_NEVER_ANSWERS, STATUS_TIMEOUT, 3000, 3050},
        {TIS_VANISHES, STATUS_HARDWARE, 0, 1},
        {TIS_NEVER_EMPTY, STATUS_TIMEOUT, 750, 800},
        {TIS_STALLS, STATUS_TIMEOUT, 750, 800},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup(state);
        assert_int_equal(tpm_link_open(), STATUS_OK);
        device.faults = cases[i].fault;
        uint64_t start = fake_tsc();
        assert_int_equal(exchange_bytes(30), cases[i].status);
        assert_in_range(milliseconds(start), cases[i].at_least_ms, cases[i].at_most_ms);
        tpm_link_close();
        assert_int_equal(device.misuses, 0);
        device.faults = 0; /* and it can be used again */
        assert_int_equal(tpm_link_open(), STATUS_OK);
        assert_int_equal(exchange_bytes(30), STATUS_OK);
    }
}

/* A byte now and then: no single wait is too long. */
static void test_a_device_that_dawdles(void **state)
{
    (void)state;
    assert_int_equal(tpm_link_open(), STATUS_OK);
    device.burst = 1;
    device.pause = 2000;
    uint64_t start = fake_tsc();
    assert_int_equal(exchange_bytes(100), STATUS_TIMEOUT);
    assert_in_range(milliseconds(start), 750, 800);
}

static void test_lengths_that_responses_claim(void **state)
{
    (void)state;
    assert_int_equal(tpm_link_open(), STATUS_OK);
    const struct {
        uint32_t claims;
        enum status status;
    } cases[] = {{0, STATUS_INVALID},           {9, STATUS_INVALID},
                 {10, STATUS_TIMEOUT},          {64, STATUS_OK},
                 {65, STATUS_OVERFLOW},         {0x10000 + 20, STATUS_OVERFLOW},
                 {0x80000000, STATUS_OVERFLOW}, {UINT32_MAX, STATUS_OVERFLOW}};
    answer_bytes = 64;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer_claims = cases[i].claims;
        assert_int_equal(exchange_bytes(12), cases[i].status);
    }
    assert_int_equal(device.misuses, 0);
}

static void test_what_is_no_command_is_not_sent(void **state)
{
    (void)state;
    uint8_t command[10] = {0};
    assert_int_equal(tpm_link_open(), STATUS_OK);
    assert_int_equal(tpm_link_exchange(command, 9, response, sizeof(response), &response_bytes),
                     STATUS_INVALID);
    assert_int_equal(tpm_link_exchange(command, 10, response, 9, &response_bytes), STATUS_INVALID);
    assert_int_equal(device.commands, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_commands_and_responses_arrive_whole, setup),
        cmocka_unit_test_setup(test_no_tpm_is_one_look, setup),
        cmocka_unit_test_setup(test_a_locality_that_is_never_ours, setup),
        cmocka_unit_test_setup(test_every_wait_ends, setup),
        cmocka_unit_test_setup(test_a_device_that_dawdles, setup),
        cmocka_unit_test_setup(test_lengths_that_responses_claim, setup),
        cmocka_unit_test_setup(test_what_is_no_command_is_not_sent, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
