/* The command response buffer: what goes through it, what stays in it, and waits that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>
#include <hw/cpu.h>
#include <string.h>
#include <tpm/link.h>

#define START 0xfed40000ULL
#define BUFFER_OFFSET 0x80U
#define BUFFER_BYTES (0x1000U - BUFFER_OFFSET)

enum fault {
    NEVER_GRANTS = 1,
    NEVER_READY = 2,
    NEVER_DONE = 4, /* not even when cancelled */
    DONE_WHEN_CANCELLED = 8,
    REPORTS_ERROR = 16,
    VANISHES = 32,
    LEAVES_BYTES = 64 /* behind the response */
};

static struct device {
    unsigned faults;
    uint64_t command_address, response_address;
    uint32_t command_bytes, response_bytes;
    bool granted, ready, started, idle;
    unsigned misuses, cancelled;
    uint8_t buffer[BUFFER_BYTES];
    uint8_t seen[BUFFER_BYTES]; /* the buffer as the last command found it */
    uint32_t answer_bytes, answer_claims;
} device;

static void finish_command(void)
{
    memcpy(device.seen, device.buffer, sizeof(device.seen));
    for (uint32_t i = 0; i < device.answer_bytes; i++) {
        device.buffer[i] = (uint8_t)(0x40 + i);
    }
    for (unsigned i = 0; i < 4; i++) {
        device.buffer[2 + i] = (uint8_t)(device.answer_claims >> (24 - 8 * i));
    }
    if (device.faults & LEAVES_BYTES) {
        device.buffer[200] = 1;
    }
    device.started = false;
}

static void write_register(uint64_t offset, uint32_t value)
{
    if (offset == 0x08 && value == 1) {
        device.granted = !(device.faults & NEVER_GRANTS);
    } else if (offset == 0x08 && value == 2) {
        device.granted = false;
    } else if (offset == 0x40 && value == 1 && device.granted) {
        device.ready = !(device.faults & NEVER_READY);
        device.idle = false;
    } else if (offset == 0x40 && value == 2 && device.granted) {
        device.ready = false;
        device.idle = true;
    } else if (offset == 0x48) {
        device.cancelled += value;
        device.started = device.started && !(device.faults & DONE_WHEN_CANCELLED);
    } else if (offset == 0x4c && value == 1 && device.ready) {
        device.started = true;
        if (!(device.faults & (NEVER_DONE | DONE_WHEN_CANCELLED | VANISHES))) {
            finish_command();
        }
    } else {
        device.misuses++;
    }
}

static uint32_t read_register(uint64_t offset)
{
    switch (offset) {
    case 0x00:
        return 0x80;
    case 0x0c:
        return device.granted;
    case 0x30:
        return 0x1;
    case 0x40:
        return !device.ready && !device.idle;
    case 0x44:
        return (device.faults & REPORTS_ERROR) != 0;
    case 0x4c:
        return device.started;
    case 0x58:
        return device.command_bytes;
    case 0x5c:
        return (uint32_t)device.command_address;
    case 0x60:
        return (uint32_t)(device.command_address >> 32);
    case 0x64:
        return device.response_bytes;
    case 0x68:
        return (uint32_t)device.response_address;
    case 0x6c:
        return (uint32_t)(device.response_address >> 32);
    default:
        device.misuses++;
        return 0;
    }
}

static uint32_t access(void *arg, uint64_t address, bool is_write, uint32_t value)
{
    (void)arg;
    uint64_t offset = address - START;
    if (device.faults & VANISHES && device.started) {
        return ~0U;
    }
    if (offset >= BUFFER_OFFSET) {
        uint8_t *byte = &device.buffer[offset - BUFFER_OFFSET];
        device.misuses += is_write && !device.ready;
        *byte = is_write ? (uint8_t)value : *byte;
        return *byte;
    }
    if (is_write) {
        write_register(offset, value);
        return 0;
    }
    return read_register(offset);
}

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    device = (struct device){
        .command_address = START + BUFFER_OFFSET,
        .response_address = START + BUFFER_OFFSET,
        .command_bytes = BUFFER_BYTES,
        .response_bytes = BUFFER_BYTES,
        .idle = true,
        .answer_bytes = 50,
        .answer_claims = 50,
    };
    fake_mmio_handler(START, 0x1000, access, NULL);
    return 0;
}

static uint8_t response[256];
static size_t response_bytes;

static enum status exchange(size_t bytes)
{
    uint8_t command[128];
    memset(command, 0xc3, sizeof(command));
    return tpm_link_exchange(command, bytes, response, sizeof(response), &response_bytes);
}

static void test_there_and_back(void **state)
{
    (void)state;
    assert_int_equal(tpm_link_open(), STATUS_OK);
    for (uint32_t bytes = 10; bytes <= 128; bytes++) {
        device.answer_bytes = device.answer_claims = 266 - bytes;
        assert_int_equal(exchange(bytes), STATUS_OK);
        assert_int_equal(response_bytes, device.answer_bytes);
        assert_memory_equal(response, device.buffer, response_bytes);
        for (uint32_t i = 0; i < 256; i++) { /* nothing of the last response is left */
            assert_int_equal(device.seen[i], i < bytes ? 0xc3 : 0);
        }
    }
    tpm_link_close();
    assert_true(device.idle && !device.granted);
    assert_int_equal(device.misuses + device.cancelled, 0);
}

static void test_buffers_elsewhere(void **state)
{
    const struct {
        uint64_t command, response;
        uint32_t command_bytes, response_bytes;
    } cases[] = {
        {START + 0x80, START + 0x880, 0x780, 0x780}, /* two */
        {START + 0x80, START + 0x80, 0xf80, 0xf7f},
        {START + 0x80, START + 0x80, 0xf81, 0xf81}, /* beyond the locality */
        {START + 0xf01, START + 0xf01, 0xff, 0xff}, /* too small */
        {START + 0x7f, START + 0x7f, 0x200, 0x200}, /* in the registers */
        {START + 0x1000, START + 0x1000, 0x100, 0x100},
        {0x100000, 0x100000, 0x1000, 0x1000},
        {1ULL << 32 | (START + 0x80), 1ULL << 32 | (START + 0x80), 0x200, 0x200},
        {START + 0x80, START + 0x80, UINT32_MAX, UINT32_MAX},
        {UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup(state);
        device.command_address = cases[i].command;
        device.response_address = cases[i].response;
        device.command_bytes = cases[i].command_bytes;
        device.response_bytes = cases[i].response_bytes;
        assert_int_equal(tpm_link_open(), STATUS_UNSUPPORTED);
        tpm_link_close();
        assert_int_equal(device.misuses, 0);
    }
}

static void test_every_wait_ends(void **state)
{
    const struct {
        unsigned fault;
        enum status open, exchange;
        unsigned at_least_ms, at_most_ms;
    } cases[] = {
        {NEVER_GRANTS, STATUS_TIMEOUT, STATUS_OK, 750, 800},
        {NEVER_READY, STATUS_OK, STATUS_TIMEOUT, 2000, 2050},
        {NEVER_DONE, STATUS_OK, STATUS_TIMEOUT, 5000, 5100}, /* cancelling it takes 2 s of them */
        {DONE_WHEN_CANCELLED, STATUS_OK, STATUS_TIMEOUT, 3000, 3050},
        {REPORTS_ERROR, STATUS_OK, STATUS_HARDWARE, 0, 1},
        {VANISHES, STATUS_OK, STATUS_HARDWARE, 0, 1},
        {LEAVES_BYTES, STATUS_OK, STATUS_HARDWARE, 0, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup(state);
        device.faults = cases[i].fault;
        uint64_t start = fake_tsc();
        assert_int_equal(tpm_link_open(), cases[i].open);
        if (cases[i].open == STATUS_OK) {
            assert_int_equal(exchange(30), cases[i].exchange);
        }
        tpm_link_close();
        assert_in_range((fake_tsc() - start) * 1000 / hw_tsc_hz(), cases[i].at_least_ms,
                        cases[i].at_most_ms);
        assert_false(device.granted && !(device.faults & VANISHES));
        assert_int_equal(device.misuses, 0);
    }
}

static void test_lengths_that_responses_claim(void **state)
{
    (void)state;
    const struct {
        uint32_t claims;
        enum status status;
    } cases[] = {{0, STATUS_INVALID},
                 {9, STATUS_INVALID},
                 {256, STATUS_OK},
                 {257, STATUS_OVERFLOW},
                 {0x10020, STATUS_OVERFLOW},
                 {UINT32_MAX, STATUS_OVERFLOW},
                 {50, STATUS_OK},
                 {49, STATUS_HARDWARE /* one is left */}};
    assert_int_equal(tpm_link_open(), STATUS_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        device.answer_claims = cases[i].claims;
        assert_int_equal(exchange(12), cases[i].status);
    }
    assert_int_equal(exchange(9), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_there_and_back, setup),
        cmocka_unit_test_setup(test_buffers_elsewhere, setup),
        cmocka_unit_test_setup(test_every_wait_ends, setup),
        cmocka_unit_test_setup(test_lengths_that_responses_claim, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
