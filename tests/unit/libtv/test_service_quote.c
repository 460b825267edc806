/* Quotes of both interfaces, and the keys that they are checked with. */
#include "service_test.h"

static void set_word(uint64_t linear, uint32_t value)
{
    memcpy(at(linear), &value, sizeof(value));
}

static void check_signature(const uint8_t *signature, const uint8_t *data, size_t bytes)
{
    uint8_t hash[20], expected[20];
    br_sha1_context sha1;
    br_sha1_init(&sha1);
    br_sha1_update(&sha1, data, bytes);
    br_sha1_out(&sha1, expected);
    assert_int_equal(br_rsa_i31_pkcs1_vrfy(signature, TV_RSA_BYTES, BR_HASH_OID_SHA1, 20,
                                           &platform.root.rsa_public, hash),
                     1);
    assert_memory_equal(hash, expected, 20);
}

static void test_old_quotes(void **state)
{
    (void)state;
    uint8_t nonce[20] = {5}, digest[20], info[TV_QUOTE_INFO_BYTES], composite[TV_PCR_COMPOSITE_MAX];
    struct tv_pcr_selection selection = {1, 0x81};
    const uint32_t list[4] = {3, 7, 0, 0}, far[2] = {1, 8}, many = 9;
    uint64_t nonce_at = put(0, nonce, sizeof(nonce));
    size_t bytes = tv_composite_sha1(&pcrs, 0x81, composite, digest);

    set_word(LENGTH, TV_RSA_BYTES);
    set_word(LENGTH + 8, (uint32_t)bytes);
    assert_int_equal(call(TV_QUOTE, put(1, &selection, sizeof(selection)), pair(2, DATA, LENGTH),
                          nonce_at, pair(3, BLOB, LENGTH + 8)),
                     TV_OK);
    tv_quote_info(&platform.root, digest, nonce, info);
    assert_int_equal(word_at(LENGTH), TV_RSA_BYTES);
    assert_int_equal(word_at(LENGTH + 8), bytes);
    assert_memory_equal(at(BLOB), composite, bytes);
    check_signature(at(DATA), info, sizeof(info));

    assert_int_equal(
        call(TV_QUOTE_1, put(1, list, sizeof(list)), pair(2, DATA, LENGTH), nonce_at, 0), TV_OK);
    const size_t is_signed = 8 + sizeof(list) + 3 * 20 + 20;
    assert_int_equal(word_at(LENGTH), is_signed + 2 * TV_RSA_BYTES);
    assert_memory_equal(at(DATA + 4), "QUOT", 4);
    assert_memory_equal(at(DATA + 8), list, sizeof(list));
    assert_memory_equal(at(DATA + 8 + sizeof(list) + 20), pcrs.pcr[0].sha1, 20);
    check_signature(at(DATA + is_signed), at(DATA), is_signed);
    assert_memory_equal(at(DATA + is_signed + TV_RSA_BYTES), platform.root.rsa_public.n, 256);
    assert_int_equal(call(TV_QUOTE_1, put(1, far, 8), pair(2, DATA, LENGTH), nonce_at, 0),
                     TV_ERROR_PCR);
    assert_int_equal(call(TV_QUOTE_1, put(1, &many, 4), pair(2, DATA, LENGTH), nonce_at, 0),
                     TV_ERROR_PCR);

    uint8_t der[TV_RSA_DER_BYTES];
    tv_root_rsa_der(&platform.root, der);
    set_word(LENGTH, 4096);
    assert_int_equal(call(TV_ID_GETPUB, DATA, LENGTH, 0, 0), TV_OK);
    assert_int_equal(word_at(LENGTH), sizeof(der));
    assert_memory_equal(at(DATA), der, sizeof(der));
    platform.root.source = TV_ROOT_NONE;
    assert_int_equal(call(TV_ID_GETPUB, DATA, LENGTH, 0, 0), TV_ERROR_NO_ROOT);
}

/* Rooms are read, and all that can be refused is before the key is made: it takes seconds. */
static void test_old_refusals(void **state)
{
    (void)state;
    const uint8_t nonce[20] = {5};
    const struct tv_pcr_selection selection = {1, 1}, wide = {2, 1};
    const uint32_t composite_bytes = 3 + 4 + 20, none = 0;
    uint64_t nonce_at = put(0, nonce, sizeof(nonce)), to = pair(2, DATA, LENGTH);
    uint64_t composite_to = pair(3, BLOB, LENGTH + 8);
    uint64_t selected = put(1, &selection, sizeof(selection));

    platform.root.rsa_state = 0;
    set_word(LENGTH, TV_RSA_BYTES - 1);
    set_word(LENGTH + 8, composite_bytes);
    assert_int_equal(call(TV_QUOTE, selected, to, nonce_at, composite_to), TV_ERROR_LENGTH);
    set_word(LENGTH, TV_RSA_BYTES);
    set_word(LENGTH + 8, composite_bytes - 1);
    assert_int_equal(call(TV_QUOTE, selected, to, nonce_at, composite_to), TV_ERROR_LENGTH);
    assert_int_equal(call(TV_QUOTE, selected, to, NOWHERE, composite_to), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_QUOTE, selected, NOWHERE, nonce_at, composite_to), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_QUOTE, selected, to, nonce_at, NOWHERE), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_QUOTE, put(1, &wide, sizeof(wide)), to, nonce_at, composite_to),
                     TV_ERROR_PCR);
    set_word(LENGTH, TV_RSA_DER_BYTES - 1);
    assert_int_equal(call(TV_ID_GETPUB, DATA, LENGTH, 0, 0), TV_ERROR_LENGTH);
    assert_int_equal(call(TV_ID_GETPUB, DATA, NOWHERE, 0, 0), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_QUOTE_1, put(1, &none, 4), NOWHERE, nonce_at, 0), TV_ERROR_ADDRESS);
    assert_int_equal(call(TV_QUOTE_1, NOWHERE, to, nonce_at, 0), TV_ERROR_ADDRESS);
    assert_int_equal(*at(DATA), NOTHING);
    assert_false(tv_root_has_rsa(&platform.root));
}

static void test_new_quotes(void **state)
{
    (void)state;
    struct tv_quote quote = {DATA, TV_EVIDENCE_MAX, 0x81, {7}, {8}};
    struct tv_evidence evidence;
    uint64_t at_quote = put(0, &quote, sizeof(quote));
    assert_int_equal(call(TV_QUOTE_PAL, at_quote, 0, 0, 0), TV_OK);
    memcpy(&evidence, at(DATA), sizeof(evidence));
    memcpy(&quote, at(at_quote), sizeof(quote));
    assert_string_equal(evidence.magic, TV_EVIDENCE_MAGIC);
    assert_int_equal(evidence.selection, 0x81);
    assert_memory_equal(evidence.nonce, quote.nonce, 32);
    assert_memory_equal(evidence.data, quote.data, 64);
    assert_in_range(quote.evidence_bytes, evidence.signed_bytes + 8, TV_EVIDENCE_MAX);
    assert_int_equal(*at(DATA + quote.evidence_bytes), NOTHING);

    memset(at(DATA), NOTHING, TV_EVIDENCE_MAX);
    quote.evidence_bytes = sizeof(evidence);
    at_quote = put(0, &quote, sizeof(quote));
    assert_int_equal(call(TV_QUOTE_PAL, at_quote, 0, 0, 0), TV_ERROR_LENGTH);
    assert_memory_equal(at(at_quote), &quote, sizeof(quote));
    assert_int_equal(*at(DATA), NOTHING);
    quote.selection = 1U << TV_PCRS;
    assert_int_equal(call(TV_QUOTE_PAL, put(0, &quote, sizeof(quote)), 0, 0, 0), TV_ERROR_PCR);
    platform.root.source = TV_ROOT_NONE;
    assert_int_equal(call(TV_QUOTE_PAL, at_quote, 0, 0, 0), TV_ERROR_NO_ROOT);
}

static void test_new_key(void **state)
{
    (void)state;
    struct tv_buffer room = {DATA, TV_QUOTE_KEY_BYTES - 1, 0};
    assert_int_equal(call(TV_QUOTE_KEY, put(0, &room, sizeof(room)), 0, 0, 0), TV_ERROR_LENGTH);
    assert_int_equal(*at(DATA), NOTHING);
    room.length = 4096;
    uint64_t at_room = put(0, &room, sizeof(room));
    assert_int_equal(call(TV_QUOTE_KEY, at_room, 0, 0, 0), TV_OK);
    assert_int_equal(word_at(at_room + offsetof(struct tv_buffer, length)), TV_QUOTE_KEY_BYTES);
    assert_memory_equal(at(DATA), platform.root.p256_key, TV_QUOTE_KEY_BYTES);
    assert_int_equal(*at(DATA + TV_QUOTE_KEY_BYTES), NOTHING);
    platform.root.source = TV_ROOT_NONE;
    assert_int_equal(call(TV_QUOTE_KEY, at_room, 0, 0, 0), TV_ERROR_NO_ROOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_old_quotes),
        BOTH(test_old_refusals),
        BOTH(test_new_quotes),
        BOTH(test_new_key),
    };
    return cmocka_run_group_tests(tests, make_root, NULL);
}
