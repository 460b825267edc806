/* Services of our own interface: registers, random numbers, sealing. */
#include "service_test.h"

static void test_registers(void **state)
{
    (void)state;
    struct tv_pcr_value value = {.index = 7, .value = {9}};
    uint64_t at_value = put(0, &value, sizeof(value));
    uint64_t register_at = at_value + offsetof(struct tv_pcr_value, value);
    assert_int_equal(call(TV_PCR_EXTEND, at_value, 0, 0, 0), TV_OK);
    assert_memory_equal(at(register_at), pcrs.pcr[7].sha256, 32);
    assert_memory_not_equal(at(register_at), value.value, 32);
    memset(at(register_at), 0, 32);
    assert_int_equal(call(TV_PCR_READ, at_value, 0, 0, 0), TV_OK);
    assert_memory_equal(at(register_at), pcrs.pcr[7].sha256, 32);

    value.index = 8;
    at_value = put(0, &value, sizeof(value));
    assert_int_equal(call(TV_PCR_READ, at_value, 0, 0, 0), TV_ERROR_PCR);
    assert_int_equal(call(TV_PCR_EXTEND, at_value, 0, 0, 0), TV_ERROR_PCR);
    /* Refused, because the answer cannot be written: the register stays. */
    struct tv_pcrs before = pcrs;
    value.index = 7;
    memcpy(at(RAM), &value, sizeof(value));
    assert_int_equal(call(TV_PCR_EXTEND, RAM, 0, 0, 0), TV_ERROR_ADDRESS);
    assert_memory_equal(&pcrs, &before, sizeof(pcrs));
}

static void test_random(void **state)
{
    (void)state;
    struct tv_buffer wanted = {DATA, TV_RANDOM_MAX, 0};
    assert_int_equal(call(TV_RANDOM, put(0, &wanted, sizeof(wanted)), 0, 0, 0), TV_OK);
    assert_memory_not_equal(at(DATA), at(DATA + 2048), 2048);
    assert_int_equal(*at(DATA + TV_RANDOM_MAX), NOTHING);
    wanted.length++;
    assert_int_equal(call(TV_RANDOM, put(0, &wanted, sizeof(wanted)), 0, 0, 0), TV_ERROR_LENGTH);
    wanted = (struct tv_buffer){NOWHERE - 8, 9, 0};
    assert_int_equal(call(TV_RANDOM, put(0, &wanted, sizeof(wanted)), 0, 0, 0), TV_ERROR_ADDRESS);
    assert_int_equal(*at(NOWHERE - 8), NOTHING);
    no_entropy = true;
    wanted.address = DATA;
    assert_int_equal(call(TV_RANDOM, put(0, &wanted, sizeof(wanted)), 0, 0, 0),
                     TV_ERROR_NO_ENTROPY);
}

static enum tv_error seal(const struct tv_seal *arguments)
{
    return call(TV_SEAL_DATA, put(0, arguments, sizeof(*arguments)), 0, 0, 0);
}

static enum tv_error unseal(uint32_t blob_bytes, uint32_t room, struct tv_unseal *answer)
{
    struct tv_unseal arguments = {BLOB, BACK, blob_bytes, room, {0}, {0}};
    uint64_t to = put(1, &arguments, sizeof(arguments));
    enum tv_error error = call(TV_UNSEAL_DATA, to, 0, 0, 0);
    memcpy(answer, at(to), sizeof(*answer));
    return error;
}

static void test_sealing(void **state)
{
    (void)state;
    const uint32_t most = TV_SEALED_MAX - TV_SEALED_OVERHEAD;
    struct tv_seal arguments = {DATA, BLOB, most, 4096, 3, 0, {0}, {0}};
    struct tv_unseal answer;
    uint8_t digest[32];
    tv_composite_sha256(&pcrs, 3, digest);
    memset(at(DATA), 0x77, most);
    assert_int_equal(seal(&arguments), TV_OK);
    assert_int_equal(word_at(ARGS + offsetof(struct tv_seal, blob_bytes)), TV_SEALED_MAX);
    assert_int_equal(unseal(TV_SEALED_MAX, most, &answer), TV_OK);
    assert_int_equal(answer.data_bytes, most);
    assert_memory_equal(answer.sealer, pcrs.identity.sha256, 32);
    assert_memory_equal(answer.digest_at_creation, digest, 32);
    assert_memory_equal(at(BACK), at(DATA), most);

    memset(at(BACK), NOTHING, most);
    assert_int_equal(unseal(TV_SEALED_MAX, most - 1, &answer), TV_ERROR_LENGTH);
    assert_int_equal(*at(BACK), NOTHING);
    assert_int_equal(unseal(TV_SEALED_MAX + 1, most, &answer), TV_ERROR_LENGTH);
    assert_int_equal(unseal(TV_SEALED_OVERHEAD - 1, most, &answer), TV_ERROR_BLOB_FORMAT);
    become(2);
    assert_int_equal(unseal(TV_SEALED_MAX, most, &answer), TV_ERROR_BLOB_OWNER);
    platform.root.source = TV_ROOT_NONE;
    assert_int_equal(unseal(TV_SEALED_MAX, most, &answer), TV_ERROR_NO_ROOT);
    assert_int_equal(seal(&arguments), TV_ERROR_NO_ROOT);
}

static void test_sealing_refused(void **state)
{
    (void)state;
    const struct tv_seal good = {DATA, BLOB, 16, 16 + TV_SEALED_OVERHEAD, 1, 0, {0}, {0}};
    struct tv_seal bad = good;
    bad.flags = 4;
    assert_int_equal(seal(&bad), TV_ERROR_FLAGS);
    bad = good;
    bad.selection = 1U << TV_PCRS;
    assert_int_equal(seal(&bad), TV_ERROR_PCR);
    bad = good;
    bad.blob_bytes--;
    assert_int_equal(seal(&bad), TV_ERROR_LENGTH);
    bad = good;
    bad.data_bytes = TV_SEALED_MAX - TV_SEALED_OVERHEAD + 1;
    bad.blob_bytes = 0xffffffff;
    assert_int_equal(seal(&bad), TV_ERROR_LENGTH);
    bad.data_bytes = 0xffffffff; /* with the overhead it would be few */
    assert_int_equal(seal(&bad), TV_ERROR_LENGTH);
    assert_int_equal(*at(BLOB), NOTHING);
    assert_int_equal(seal(&good), TV_OK);
}

static void test_sealing_to_another(void **state)
{
    (void)state;
    struct tv_seal arguments = {
        DATA, BLOB, 16, 16 + TV_SEALED_OVERHEAD, 1, TV_SEAL_DIGEST | TV_SEAL_IDENTITY, {0}, {0}};
    struct tv_unseal answer;
    const uint32_t bytes = 16 + TV_SEALED_OVERHEAD;
    become(2);
    tv_composite_sha256(&pcrs, 1, arguments.digest);
    memcpy(arguments.identity, pcrs.identity.sha256, 32);
    become(1);
    assert_int_equal(seal(&arguments), TV_OK);
    assert_int_equal(unseal(bytes, 16, &answer), TV_ERROR_BLOB_OWNER);
    become(2);
    assert_int_equal(unseal(bytes, 16, &answer), TV_OK);
    become(1);
    assert_memory_equal(answer.sealer, pcrs.identity.sha256, 32);
    arguments.flags = TV_SEAL_DIGEST;
    assert_int_equal(seal(&arguments), TV_OK);
    assert_int_equal(unseal(bytes, 16, &answer), TV_ERROR_BLOB_PCR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_registers),
        BOTH(test_random),
        BOTH(test_sealing),
        BOTH(test_sealing_refused),
        BOTH(test_sealing_to_another),
    };
    return cmocka_run_group_tests(tests, make_root, NULL);
}
