/*
 * Quotes and keys that somebody gives to nacre-verify: any bytes, any bytes behind the beginning of
 * evidence, and quotes of any kind that were changed or cut.  Only a quote as it was made, with
 * what was expected and of a kind that is allowed, is accepted, and what is learnt is what was
 * signed.
 *
 * sources: sdk/verify/evidence.c sdk/verify/old_quote.c sdk/verify/statement.c sdk/verify/key.c
 *     libtv/evidence.c libtv/root.c libtv/rsa.c libtv/pcr.c crypto verifier
 * include: libtv/api sdk/include
 * seeds: 00,01,02,03,04,05,0200,0300,05000000030200000000,
 *     04002d2d2d2d2d424547494e205055424c4943204b45592d2d2d2d2d0a
 */
#include "fuzz.h"

#include <quote.h>
#include <tv/random.h>
#include <world/world.h>

enum { ANY, HEADER, EVIDENCE, OLD, KEY, FIRST, KINDS };

/* Nothing secret is here, and no other CPU. */
void tv_wipe(void *start, size_t bytes)
{
    memset(start, 0, bytes);
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

static struct tv_root root;
static struct tv_pcrs pcrs;
static struct verify_p256 p256;
static struct verify_rsa rsa;
static const uint8_t nonce[32] = {1, 2, 3}, pal_data[64] = {9, 8};

static void prepare(void)
{
    static const uint8_t secret[TV_ROOT_BYTES] = "fuzz";
    uint8_t der[TV_RSA_DER_BYTES];
    struct tv_measurement identity;
    if (tv_root_has_rsa(&root)) {
        return;
    }
    memset(&identity, 0x44, sizeof(identity));
    tv_pcrs_begin(&pcrs, &identity);
    memset(&pcrs.pcr[5], 0x55, sizeof(pcrs.pcr[5]));
    tv_root_init(&root, TV_ROOT_MODULE, false, secret);
    FUZZ_CHECK(tv_root_rsa(&root, 0) == TV_OK);
    tv_root_rsa_der(&root, der);
    FUZZ_CHECK(verify_key_p256(&p256, root.p256_key, sizeof(root.p256_key)) == NULL);
    FUZZ_CHECK(verify_key_rsa(&rsa, der, sizeof(der)) == NULL);
}

/* What one quote is and what its verifier wants, and so whether it may be accepted unchanged. */
struct wish {
    struct verify_expected expected;
    uint8_t selection;
    bool right;
};

static void choose_kind(struct fuzz_input *input, struct wish *wish)
{
    unsigned bits = (unsigned)fuzz_take(input, 1);
    root.source = (enum tv_root_source)(TV_ROOT_TPM + bits % 4);
    root.debug = bits >> 2 & 1;
    wish->expected.allow_debug = bits >> 3 & 1;
    wish->expected.allow_random = bits >> 4 & 1;
    wish->expected.allow_simulated = bits >> 5 & 1;
    wish->right = (!root.debug || wish->expected.allow_debug) &&
                  (root.source != TV_ROOT_RANDOM || wish->expected.allow_random) &&
                  (root.source != TV_ROOT_SIMULATED || wish->expected.allow_simulated);
}

/* One bit of each is wrong if the input says so. */
static struct wish choose(struct fuzz_input *input, bool old)
{
    struct wish wish = {.right = true};
    choose_kind(input, &wish);
    unsigned bits = (unsigned)fuzz_take(input, 1), at = (unsigned)fuzz_take(input, 1) % 20;
    memcpy(wish.expected.nonce, nonce, sizeof(nonce));
    memcpy(wish.expected.identity, old ? pcrs.identity.sha1 : pcrs.identity.sha256, old ? 20 : 32);
    memcpy(wish.expected.data, pal_data, sizeof(pal_data));
    memset(wish.expected.pcr[5], 0x55, 32);
    wish.expected.nonce[at] ^= bits & 1;
    wish.expected.identity[at] ^= bits >> 1 & 1;
    wish.expected.pcr[5][at] ^= bits >> 2 & 1;
    wish.expected.data[at] ^= bits >> 3 & 1;
    wish.expected.has_data = bits >> 4 & 1;
    wish.expected.selection = bits >> 5 & 1 ? 0x20 : 0;
    wish.selection = (uint8_t)fuzz_take(input, 1);
    wish.right =
        wish.right && (bits & 3) == 0 && (!old || (wish.selection & 1) != 0) &&
        (old || !wish.expected.has_data || (bits & 8) == 0) &&
        (wish.expected.selection == 0 || ((wish.selection & 0x20) != 0 && (bits & 4) == 0));
    return wish;
}

static void must_be_learnt(const struct verify_statement *statement, const struct wish *wish,
                           bool old)
{
    bool shown = root.source == TV_ROOT_RANDOM || root.source == TV_ROOT_SIMULATED || !old;
    FUZZ_CHECK(statement->is_debug == root.debug);
    FUZZ_CHECK(statement->root == (shown ? root.source : TV_ROOT_NONE));
    FUZZ_CHECK(statement->selection == wish->selection);
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((wish->selection >> i & 1) != 0) {
            FUZZ_CHECK(memcmp(statement->pcr[i], old ? pcrs.pcr[i].sha1 : pcrs.pcr[i].sha256,
                              old ? 20 : 32) == 0);
        }
    }
    FUZZ_CHECK(old || memcmp(statement->data, pal_data, sizeof(pal_data)) == 0);
}

/* A block of its own for what is left of the quote; changed: it is not what was made. */
static uint8_t *disturb(struct fuzz_input *input, const uint8_t *made, size_t *count, bool *changed)
{
    size_t made_count = *count, cut = (size_t)fuzz_take(input, 2);
    if (cut != 0) {
        *count = cut % (made_count + 64);
    }
    uint8_t *bytes = calloc(*count > 0 ? *count : 1, 1);
    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, made, *count < made_count ? *count : made_count);
    for (unsigned n = (unsigned)fuzz_take(input, 1); n > 0 && input->left > 0 && *count > 0; n--) {
        size_t at = (size_t)fuzz_take(input, 2) % *count;
        bytes[at] ^= (uint8_t)fuzz_take(input, 1);
    }
    *changed = *count != made_count || memcmp(bytes, made, made_count) != 0;
    return bytes;
}

static void try_evidence(struct fuzz_input *input)
{
    struct wish wish = choose(input, false);
    struct verify_statement statement;
    uint8_t made[TV_EVIDENCE_MAX];
    bool changed;
    size_t count = tv_evidence_make(&root, &pcrs, wish.selection, nonce, pal_data, made);
    uint8_t *bytes = disturb(input, made, &count, &changed);
    bool accepted = verify_evidence(&statement, &wish.expected, &p256, bytes, count) == NULL;
    FUZZ_CHECK(accepted == (wish.right && !changed));
    if (accepted) {
        must_be_learnt(&statement, &wish, false);
    }
    free(bytes);
}

static void try_old(struct fuzz_input *input)
{
    struct wish wish = choose(input, true);
    struct verify_statement statement;
    uint8_t composite[TV_PCR_COMPOSITE_MAX], digest[20], signature[TV_RSA_BYTES];
    uint8_t info[TV_QUOTE_INFO_BYTES];
    bool composite_changed, signature_changed;
    size_t composite_bytes = tv_composite_sha1(&pcrs, wish.selection, composite, digest);
    size_t signature_bytes = sizeof(signature);
    tv_quote_info(&root, digest, nonce, info);
    tv_rsa_sign(&root, info, sizeof(info), signature);
    uint8_t *first = disturb(input, composite, &composite_bytes, &composite_changed);
    uint8_t *second = disturb(input, signature, &signature_bytes, &signature_changed);
    const struct verify_old_quote quote = {first, second, composite_bytes, signature_bytes};
    bool accepted = verify_old_quote(&statement, &wish.expected, &rsa, &quote) == NULL;
    FUZZ_CHECK(accepted == (wish.right && !composite_changed && !signature_changed));
    if (accepted) {
        must_be_learnt(&statement, &wish, true);
    }
    free(first);
    free(second);
}

/* The list is of the selected registers. */
static size_t make_first(uint8_t selection, uint8_t *quote)
{
    uint32_t count = 0;
    tv_quote_head(&root, quote);
    uint8_t *list = quote + TV_QUOTE_HEAD_BYTES;
    uint8_t *end = list + sizeof(count) * (1 + (size_t)__builtin_popcount(selection));
    for (uint32_t i = 0; i < TV_PCRS; i++) {
        if ((selection >> i & 1) != 0) {
            count++;
            memcpy(list + sizeof(count) * count, &i, sizeof(i));
            memcpy(end, pcrs.pcr[i].sha1, 20);
            end += 20;
        }
    }
    memcpy(list, &count, sizeof(count));
    memcpy(end, nonce, 20);
    end += 20;
    tv_rsa_sign(&root, quote, (size_t)(end - quote), end);
    memcpy(end + TV_RSA_BYTES, rsa.modulus, TV_RSA_BYTES);
    return (size_t)(end - quote) + 2 * TV_RSA_BYTES;
}

static void try_first(struct fuzz_input *input)
{
    struct wish wish = choose(input, true);
    struct verify_statement statement;
    uint8_t made[TV_QUOTE_HEAD_BYTES + 4 + TV_PCRS * (4 + 20) + 20 + 2 * TV_RSA_BYTES];
    bool changed;
    size_t count = make_first(wish.selection, made);
    uint8_t *bytes = disturb(input, made, &count, &changed);
    bool accepted = verify_first_quote(&statement, &wish.expected, &rsa, bytes, count) == NULL;
    FUZZ_CHECK(accepted == (wish.right && !changed));
    if (accepted) {
        must_be_learnt(&statement, &wish, true);
    }
    free(bytes);
}

/* Nobody signed these. */
static void try_any(struct fuzz_input *input, bool has_header)
{
    struct verify_expected expected = {.allow_debug = true, .allow_random = true};
    struct verify_statement statement;
    size_t count = input->left;
    uint8_t *bytes = fuzz_copy(input);
    const struct verify_old_quote quote = {bytes, bytes, count, count};
    if (has_header && count >= sizeof(struct tv_evidence)) {
        memcpy(bytes, &(struct tv_evidence){.magic = TV_EVIDENCE_MAGIC, .version = 1}, 12);
        memcpy(bytes + offsetof(struct tv_evidence, key), p256.id, sizeof(p256.id));
    }
    FUZZ_CHECK(verify_evidence(&statement, &expected, &p256, bytes, count) != NULL);
    FUZZ_CHECK(verify_old_quote(&statement, &expected, &rsa, &quote) != NULL);
    FUZZ_CHECK(verify_first_quote(&statement, &expected, &rsa, bytes, count) != NULL);
    free(bytes);
}

/* A key that is taken is what it was read from. */
static void try_key(struct fuzz_input *input)
{
    struct verify_p256 key;
    struct verify_rsa old_key;
    size_t count = input->left;
    uint8_t *bytes = fuzz_copy(input);
    if (verify_key_p256(&key, bytes, count) == NULL && bytes[0] == 0x30) {
        FUZZ_CHECK(count == TV_QUOTE_KEY_BYTES);
        FUZZ_CHECK(memcmp(bytes + count - sizeof(key.point), key.point, sizeof(key.point)) == 0);
    }
    if (verify_key_rsa(&old_key, bytes, count) == NULL && bytes[0] == 0x30) {
        FUZZ_CHECK(memcmp(bytes + count - 5 - TV_RSA_BYTES, old_key.modulus, TV_RSA_BYTES) == 0);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    prepare();
    switch (fuzz_take(&input, 1) % KINDS) {
    case ANY:
        try_any(&input, false);
        break;
    case HEADER:
        try_any(&input, true);
        break;
    case EVIDENCE:
        try_evidence(&input);
        break;
    case OLD:
        try_old(&input);
        break;
    case FIRST:
        try_first(&input);
        break;
    default:
        try_key(&input);
    }
    return 0;
}
