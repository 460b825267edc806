/* Sealing by the old interface. */
#include "service_test.h"

static enum tv_error old_seal(uint8_t bitmap, const uint8_t digest[20], uint64_t bytes)
{
    struct tv_pcr_info info = {.selection = {1, bitmap}};
    memcpy(info.digest_at_release, digest, 20);
    return call(TV_SEAL, pair(0, DATA, bytes), put(1, &info, sizeof(info)), pair(2, BLOB, LENGTH),
                0);
}

static enum tv_error old_unseal(void)
{
    return call(TV_UNSEAL, pair(0, BLOB, word_at(LENGTH)), pair(1, BACK, LENGTH + 8), LENGTH + 16,
                0);
}

static void test_old_sealing(void **state)
{
    (void)state;
    const size_t most = TV_SEALED_MAX - TV_SEALED_OVERHEAD;
    uint8_t digest[20];
    tv_composite_sha1(&pcrs, 3, NULL, digest);
    memset(at(DATA), 0x77, most);
    assert_int_equal(old_seal(3, digest, most), TV_OK);
    assert_int_equal(word_at(LENGTH), TV_SEALED_MAX);
    assert_int_equal(old_unseal(), TV_OK);
    assert_int_equal(word_at(LENGTH + 8), most);
    assert_memory_equal(at(BACK), at(DATA), most);
    assert_memory_equal(at(LENGTH + 16), digest, 20);

    assert_int_equal(old_seal(3, digest, most + 1), TV_ERROR_LENGTH);
    assert_int_equal(old_seal(3, digest, word == 4 ? 0xffffffff : ~0ULL), TV_ERROR_LENGTH);
    ++*at(BLOB + 1000);
    assert_int_equal(old_unseal(), TV_ERROR_BLOB_CHANGED);
    --*at(BLOB + 1000);
    assert_int_equal(call(TV_PCREXT, 1, DATA, 0, 0), TV_OK);
    assert_int_equal(old_unseal(), TV_ERROR_BLOB_PCR);
    become(2);
    assert_int_equal(old_unseal(), TV_ERROR_BLOB_OWNER);
    assert_int_equal(call(TV_UNSEAL, pair(0, BLOB, TV_SEALED_MAX + 1), pair(1, BACK, LENGTH), 0, 0),
                     TV_ERROR_LENGTH);
    assert_int_equal(call(TV_UNSEAL, pair(0, BLOB, 1), pair(1, BACK, LENGTH), 0, 0),
                     TV_ERROR_BLOB_FORMAT);
    struct tv_pcr_info wide = {.selection = {2, 1}};
    assert_int_equal(
        call(TV_SEAL, pair(0, DATA, 1), put(1, &wide, sizeof(wide)), pair(2, BLOB, LENGTH), 0),
        TV_ERROR_PCR);
    platform.root.source = TV_ROOT_NONE;
    assert_int_equal(old_seal(3, digest, 16), TV_ERROR_NO_ROOT);
    assert_int_equal(old_unseal(), TV_ERROR_NO_ROOT);
}

/* By another digest of register 0, in both forms. */
static void test_old_sealing_to_another(void **state)
{
    (void)state;
    uint8_t digest[20];
    become(2);
    tv_composite_sha1(&pcrs, 1, NULL, digest);
    uint64_t of_two = put(4, pcrs.pcr[0].sha1, 20);
    for (unsigned first = 0; first < 2; first++) {
        become(1);
        assert_int_equal(first
                             ? call(TV_SEAL_1, pair(0, DATA, 32), of_two, pair(2, BLOB, LENGTH), 0)
                             : old_seal(1, digest, 32),
                         TV_OK);
        assert_int_equal(old_unseal(), TV_ERROR_BLOB_PCR);
        become(2);
        assert_int_equal(old_unseal(), TV_OK);
        assert_memory_equal(at(BACK), at(DATA), 32);
    }
    become(1);
    assert_int_equal(call(TV_SEAL_1, pair(0, DATA, 32), 0, pair(2, BLOB, LENGTH), 0), TV_OK);
    memset(at(BACK), 0, 32);
    assert_int_equal(
        call(TV_UNSEAL_1, pair(0, BLOB, word_at(LENGTH)), pair(1, BACK, LENGTH + 8), 0, 0), TV_OK);
    assert_int_equal(word_at(LENGTH + 8), 32);
    assert_memory_equal(at(BACK), at(DATA), 32);
    become(2);
    assert_int_equal(old_unseal(), TV_ERROR_BLOB_OWNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_old_sealing),
        BOTH(test_old_sealing_to_another),
    };
    return cmocka_run_group_tests(tests, make_root, NULL);
}
