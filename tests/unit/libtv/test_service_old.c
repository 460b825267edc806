/* Services of the old interface: registers, random numbers, NV memory. */
#include "service_test.h"

static void test_numbers(void **state)
{
    (void)state;
    static const uint32_t others[] = {0, 1, 2, 6, 14, 20, 24, 255, 0x100, 0x103, 0x10f, 0x117};
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(tv_is_service(others[i]));
    }
}

static void test_old_registers(void **state)
{
    (void)state;
    uint8_t first[20];
    memset(first, 1, sizeof(first));
    assert_int_equal(call(TV_PCRREAD, 0, DATA, 0, 0), TV_OK);
    assert_memory_equal(at(DATA), first, 20);
    assert_int_equal(*at(DATA + 20), NOTHING);
    assert_int_equal(call(TV_PCREXT, 7, DATA, 0, 0), TV_OK);
    assert_int_equal(call(TV_PCRREAD, 7, DATA, 0, 0), TV_OK);
    assert_memory_equal(at(DATA), pcrs.pcr[7].sha1, 20);
    assert_memory_not_equal(at(DATA), (uint8_t[20]){0}, 20);
    assert_int_equal(call(TV_PCRREAD, 8, DATA, 0, 0), TV_ERROR_PCR);
    assert_int_equal(call(TV_PCREXT, 8, DATA, 0, 0), TV_ERROR_PCR);
    assert_int_equal(call(TV_PCRREAD, 0, RAM, 0, 0), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_PCREXT, 0, NOWHERE, 0, 0), TV_ERROR_ADDRESS);
}

static void test_old_random(void **state)
{
    (void)state;
    const uint32_t most = TV_RANDOM_MAX, more = TV_RANDOM_MAX + 1;
    memcpy(at(LENGTH), &most, 4);
    assert_int_equal(call(TV_GENRAND, DATA, LENGTH, 0, 0), TV_OK);
    assert_int_equal(word_at(LENGTH), most);
    assert_memory_not_equal(at(DATA), at(DATA + 2048), 2048);
    assert_int_equal(*at(DATA + most), NOTHING);
    memcpy(at(LENGTH), &more, 4);
    assert_int_equal(call(TV_GENRAND, DATA, LENGTH, 0, 0), TV_ERROR_LENGTH);
    no_entropy = true;
    memcpy(at(LENGTH), &most, 4);
    assert_int_equal(call(TV_GENRAND, DATA, LENGTH, 0, 0), TV_ERROR_NO_ENTROPY);
}

static void test_nv(void **state)
{
    (void)state;
    static const unsigned sizes[] = {20, 32};
    memset(platform.nv_owner, 1, sizeof(platform.nv_owner));
    for (unsigned i = 0; i < 2; i++) {
        become(1);
        platform.nv_owner_bytes = sizes[i];
        assert_int_equal(call(TV_NV_GETSIZE, LENGTH, 0, 0, 0), TV_OK);
        assert_int_equal(word_at(LENGTH), TV_NV_BYTES);
        memset(at(DATA), (int)(40 + i), TV_NV_BYTES);
        assert_int_equal(call(TV_NV_WRITEALL, DATA, 0, 0, 0), TV_OK);
        assert_int_equal(call(TV_NV_READALL, BACK, 0, 0, 0), TV_OK);
        assert_memory_equal(at(BACK), at(DATA), TV_NV_BYTES);
        assert_int_equal(*at(BACK + TV_NV_BYTES), NOTHING);
        assert_int_equal(call(TV_NV_WRITEALL, NOWHERE, 0, 0, 0), TV_ERROR_ADDRESS);
        assert_int_equal(platform.nv[0], 40 + i);
        become(2);
        assert_int_equal(call(TV_NV_READALL, BACK, 0, 0, 0), TV_ERROR_NV_OWNER);
        assert_int_equal(call(TV_NV_WRITEALL, BACK, 0, 0, 0), TV_ERROR_NV_OWNER);
        assert_int_equal(call(TV_NV_GETSIZE, LENGTH, 0, 0, 0), TV_ERROR_NV_OWNER);
    }
    become(1);
    platform.nv_owner_bytes = 0;
    assert_int_equal(call(TV_NV_READALL, BACK, 0, 0, 0), TV_ERROR_NV_OWNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_numbers),
        BOTH(test_old_registers),
        BOTH(test_old_random),
        BOTH(test_nv),
    };
    return cmocka_run_group_tests(tests, make_root, NULL);
}
