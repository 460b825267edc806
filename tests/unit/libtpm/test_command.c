/* Commands byte by byte, and responses with every length wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX 0x01804e43U
#define PASSWORD                                                                                   \
    "00000009"                                                                                     \
    "40000009"                                                                                     \
    "0000"                                                                                         \
    "00"                                                                                           \
    "0000"

static struct tpm_command command;
static struct tpm_response response;

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t count = strlen(hex) / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return count;
}

static void is_command(const char *hex)
{
    uint8_t expected[TPM_COMMAND_MAX];
    assert_int_equal(command.used, from_hex(hex, expected));
    assert_memory_equal(command.bytes, expected, command.used);
}

static void test_commands(void **state)
{
    (void)state;
    const uint8_t data[3] = {0xa1, 0xa2, 0xa3};
    tpm_make_startup_clear(&command);
    is_command("80010000000c000001440000");
    tpm_make_get_random(&command, 32);
    is_command("80010000000c0000017b0020");
    tpm_make_nv_read_public(&command, INDEX);
    is_command("80010000000e0000016901804e43");
    tpm_make_hierarchy_off(&command, TPM_RH_PLATFORM);
    is_command("800200000020000001214000000c" PASSWORD "4000000c00");
    tpm_make_nv_define(&command, TPM_RH_OWNER, INDEX, 0x12345678, 32);
    is_command("80020000002d0000012a40000001" PASSWORD "0000"
               "000e01804e43000b1234567800000020");
    tpm_make_nv_write(&command, INDEX, data, sizeof(data));
    is_command("8002000000260000013701804e4301804e43" PASSWORD "0003a1a2a30000");
    tpm_make_nv_write_lock(&command, INDEX);
    is_command("80020000001f0000013801804e4301804e43" PASSWORD);
    tpm_make_nv_read(&command, INDEX, 32);
    is_command("8002000000230000014e01804e4301804e43" PASSWORD "00200000");
    tpm_make_nv_read_lock(&command, INDEX);
    is_command("80020000001f0000014f01804e4301804e43" PASSWORD);
}

static void respond(const char *hex)
{
    memset(&response, 0xa5, sizeof(response));
    response.used = from_hex(hex, response.bytes);
}

static void has_code(const char *hex, uint32_t expected)
{
    uint32_t code;
    respond(hex);
    assert_int_equal(tpm_response_code(&response, &code), STATUS_OK);
    assert_int_equal(code, expected);
}

static void has_no_code(const char *hex)
{
    uint32_t code;
    respond(hex);
    assert_int_equal(tpm_response_code(&response, &code), STATUS_INVALID);
}

static void test_codes(void **state)
{
    (void)state;
    has_code("80010000000a00000000", TPM_RC_SUCCESS);
    has_code("80020000000a00000000", TPM_RC_SUCCESS);
    has_code("80010000000b0000000000", TPM_RC_SUCCESS);
    has_code("80010000000a00000100", TPM_RC_INITIALIZE);
    has_code("80010000000a00000148", TPM_RC_NV_LOCKED);
    has_code("80010000000a0000018b", TPM_RC_HANDLE);
    has_code("80010000000a00000b8b", TPM_RC_HANDLE);
    has_code("80010000000a00000185", TPM_RC_HIERARCHY);
    has_code("80010000000a000009a2", TPM_RC_BAD_AUTH);
    has_code("80010000000a0000098e", TPM_RC_AUTH_FAIL);
    has_code("80010000000a00000922", TPM_RC_RETRY);
    has_code("00c40000000a0000001e", TPM_RC_BAD_TAG); /* TPM 1.2 */
    has_no_code("");
    has_no_code("80010000000a000000");
    has_no_code("80010000000a0000000000"); /* longer than it says */
    has_no_code("80010000000b00000000");
    has_no_code("80010000000b0000014800"); /* an error says nothing more */
    has_no_code("80020000000a00000148");
    has_no_code("80030000000a00000000");
    has_no_code("00c40000000a00000000");
    has_no_code("ffffffffffffffffffff");
    response.used = TPM_RESPONSE_MAX + 1;
    uint32_t code;
    assert_int_equal(tpm_response_code(&response, &code), STATUS_INVALID);
}

static const char RANDOM[] = "8001"
                             "0000000f"
                             "00000000"
                             "0003"
                             "010203";
static const char READ[] = "8002"
                           "00000018"
                           "00000000"
                           "00000005"
                           "0003"
                           "010203"
                           "0000"
                           "01"
                           "0000";
static const char NOTHING[] = "8002"
                              "00000013"
                              "00000000"
                              "00000000"
                              "0000"
                              "01"
                              "0000";
static const char PUBLIC[] = "8001"
                             "00000026"
                             "00000000"
                             "0011"
                             "01804e43"
                             "000b"
                             "f2043804"
                             "0003"
                             "a1a2a3"
                             "0020"
                             "0005"
                             "000b010203"
                             "0000";

static void test_responses(void **state)
{
    (void)state;
    uint8_t data[3] = {0};
    respond(RANDOM);
    assert_int_equal(tpm_parse_random(&response, data, 3), STATUS_OK);
    assert_memory_equal(data, "\1\2\3", 3);
    assert_int_equal(tpm_parse_random(&response, data, 2), STATUS_INVALID);
    assert_int_equal(tpm_parse_random(&response, data, 4), STATUS_INVALID);
    assert_int_equal(tpm_parse_nv_read(&response, data, 3), STATUS_INVALID);
    respond(READ);
    memset(data, 0, 3);
    assert_int_equal(tpm_parse_nv_read(&response, data, 3), STATUS_OK);
    assert_memory_equal(data, "\1\2\3", 3);
    assert_int_equal(tpm_parse_nv_read(&response, data, 2), STATUS_INVALID);
    assert_int_equal(tpm_parse_nothing(&response), STATUS_INVALID);
    assert_int_equal(tpm_parse_random(&response, data, 3), STATUS_INVALID);
    respond(NOTHING);
    assert_int_equal(tpm_parse_nothing(&response), STATUS_OK);
    respond("8002"
            "00000014"
            "00000000"
            "00000000"
            "0001"
            "aa"
            "01"
            "0000"); /* a nonce */
    assert_int_equal(tpm_parse_nothing(&response), STATUS_INVALID);
}

static enum status parse_public(struct tpm_nv_public *public)
{
    return tpm_parse_nv_public(&response, public);
}

static void test_public_area(void **state)
{
    (void)state;
    struct tpm_nv_public public;
    respond("8001"
            "00000026"
            "00000000"
            "0011"
            "01804e43"
            "000b"
            "f2043804"
            "0003"
            "a1a2a3"
            "0020"
            "0007"
            "000b0102030405");
    assert_int_equal(parse_public(&public), STATUS_OK);
    assert_int_equal(public.index, INDEX);
    assert_int_equal(public.name_algorithm, TPM_ALG_SHA256);
    assert_int_equal(public.attributes, 0xf2043804);
    assert_int_equal(public.policy_bytes, 3);
    assert_int_equal(public.data_bytes, 32);
    respond(PUBLIC); /* two bytes too many behind the name */
    assert_int_equal(parse_public(&public), STATUS_INVALID);
}

/* Of a response only the whole is taken: not a part of it, whatever size the header tells. */
static void test_cut_responses(void **state)
{
    (void)state;
    const char *all[] = {RANDOM, READ, NOTHING,
                         "80010000002600000000001101804e43000bf20438040003a1a2a300200007"
                         "000b0102030405"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        respond(all[i]);
        size_t whole = response.used;
        for (size_t bytes = 0; bytes < whole; bytes++) {
            struct tpm_nv_public public;
            uint8_t data[3];
            respond(all[i]);
            response.used = bytes;
            response.bytes[5] = (uint8_t)bytes;
            assert_int_equal(tpm_parse_random(&response, data, 3), STATUS_INVALID);
            assert_int_equal(tpm_parse_nv_read(&response, data, 3), STATUS_INVALID);
            assert_int_equal(tpm_parse_nothing(&response), STATUS_INVALID);
            assert_int_equal(parse_public(&public), STATUS_INVALID);
        }
    }
}

/* What has no code is not taken for anything else either. */
static void test_every_byte_changed(void **state)
{
    (void)state;
    const char *all[] = {RANDOM, READ, NOTHING, PUBLIC};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        respond(all[i]);
        for (size_t at = 0; at < response.used; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct tpm_nv_public public;
                uint8_t data[3];
                uint32_t code;
                respond(all[i]);
                response.bytes[at] = (uint8_t)value;
                bool whole = tpm_response_code(&response, &code) == STATUS_OK;
                bool some = tpm_parse_random(&response, data, 3) == STATUS_OK ||
                            tpm_parse_nv_read(&response, data, 3) == STATUS_OK ||
                            tpm_parse_nothing(&response) == STATUS_OK ||
                            parse_public(&public) == STATUS_OK;
                assert_true(whole || !some);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),      cmocka_unit_test(test_codes),
        cmocka_unit_test(test_responses),     cmocka_unit_test(test_public_area),
        cmocka_unit_test(test_cut_responses), cmocka_unit_test(test_every_byte_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
