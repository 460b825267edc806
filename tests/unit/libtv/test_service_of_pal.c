/* Services of the micro-TPM, asked for by a PAL that runs (REQ-PAL-10, REQ-PAL-12). */
#include "pal_test.h"

#include <fake/inject.h>
#include <fake/model.h>

#define BASE 0x10000000ULL
#define DATA (BASE + SUITE_DATA_AT)
#define AT(offset) (DATA + (offset))

static struct suite_process process;
static struct suite_pal pal;

static const struct tv_pcrs *pcrs(void)
{
    return &suite.tv.cpu[0].running->pcrs;
}

static void begin(enum suite_mode mode)
{
    suite_start();
    fake_cpuid_set_bits(1, 0, FAKE_ECX, 1u << 30); /* RDRAND */
    assert_int_equal(tv_set_random_root(&suite.tv, false), TV_OK);
    suite_process_make(&process, mode);
    suite_run(0, &process);
    suite_pal_make(&pal, &process, BASE, true);
    pal.param_count = 0;
    assert_int_equal(suite_register(0, &pal), TV_OK);
    assert_int_equal(suite_call(0, &pal, NULL), SUITE_ENTERED);
}

static int setup(void **state)
{
    (void)state;
    begin(SUITE_64);
    return 0;
}

static enum tv_error ask(uint32_t number, uint64_t cx, uint64_t dx, uint64_t si, uint64_t di)
{
    struct vcpu *isolated = &suite.isolated[0];
    isolated->gpr[VCPU_RAX] = number;
    isolated->gpr[VCPU_RCX] = cx;
    isolated->gpr[VCPU_RDX] = dx;
    isolated->gpr[VCPU_RSI] = si;
    isolated->gpr[VCPU_RDI] = di;
    suite_pal_stop(0, VCPU_STOP_CALL, 0, 0);
    static const uint8_t zero[TV_SERVICE_BUFFER_BYTES];
    assert_memory_equal(suite.tv.cpu[0].service, zero, sizeof zero);
    return (enum tv_error)isolated->gpr[VCPU_RAX];
}

static void put(uint64_t at, const void *from, unsigned bytes)
{
    uint8_t copy[512];
    memcpy(copy, from, bytes);
    assert_true(suite_pal(0, at, SUITE_STORE, copy, bytes));
}

static void get(uint64_t at, void *to, unsigned bytes)
{
    assert_true(suite_pal(0, at, SUITE_LOAD, to, bytes));
}

static uint32_t get32(uint64_t at)
{
    uint32_t value;
    get(at, &value, sizeof value);
    return value;
}

static void put_pair(uint64_t at, uint64_t first, uint64_t second)
{
    if (suite.isolated[0].width == VCPU_64BIT) {
        put(at, &(struct tv_pair64){first, second}, sizeof(struct tv_pair64));
    } else {
        put(at, &(struct tv_pair32){(uint32_t)first, (uint32_t)second}, sizeof(struct tv_pair32));
    }
}

static void test_registers(void **state)
{
    (void)state;
    uint8_t value[20], digest[20] = {3};
    struct tv_pcr_value wide = {.index = 2, .value = {4}};
    assert_int_equal(ask(TV_PCRREAD, 0, AT(0), 0, 0), TV_OK);
    get(AT(0), value, 20);
    assert_memory_equal(value, pcrs()->identity.sha1, 20);
    put(AT(0), digest, 20);
    assert_int_equal(ask(TV_PCREXT, 7, AT(0), 0, 0), TV_OK);
    assert_int_equal(ask(TV_PCREXT, 8, AT(0), 0, 0), TV_ERROR_PCR);
    assert_int_equal(ask(TV_PCRREAD, 7, AT(0), 0, 0), TV_OK);
    get(AT(0), value, 20);
    assert_memory_equal(value, pcrs()->pcr[7].sha1, 20);
    put(AT(0), &wide, sizeof wide);
    assert_int_equal(ask(TV_PCR_EXTEND, AT(0), 0, 0, 0), TV_OK);
    get(AT(0), &wide, sizeof wide);
    assert_memory_equal(wide.value, pcrs()->pcr[2].sha256, 32);
    wide.index = 8;
    put(AT(0), &wide, sizeof wide);
    assert_int_equal(ask(TV_PCR_READ, AT(0), 0, 0, 0), TV_ERROR_PCR);
}

/* Where a PAL may not write, the hypervisor does not for it. */
static void test_addresses(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0,
                                   BASE,     /* CODE */
                                   BASE - 1, /* before the first section */
                                   BASE + SUITE_PAL_PAGES * PAGE_BYTES - 19,
                                   SUITE_BUFFER,       /* the process's */
                                   0xffffffffffffffff, /* wraps */
                                   0x8000000000000000};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(TV_PCRREAD, 0, bad[i], 0, 0), TV_ERROR_ADDRESS);
    }
    assert_int_equal(ask(TV_PCREXT, 1, BASE, 0, 0), TV_OK); /* CODE can be read */
    uint64_t border = BASE + SUITE_PARAM_AT - 10;           /* from DATA into PARAM */
    assert_int_equal(ask(TV_PCRREAD, 0, border, 0, 0), TV_OK);
    uint8_t value[20];
    get(border, value, 20);
    assert_memory_equal(value, pcrs()->pcr[0].sha1, 20);
}

static void test_random_numbers(void **state)
{
    (void)state;
    uint32_t wanted = 32;
    uint8_t first[32], second[32];
    put(AT(0), &wanted, 4);
    assert_int_equal(ask(TV_GENRAND, AT(64), AT(0), 0, 0), TV_OK);
    assert_int_equal(get32(AT(0)), 32);
    get(AT(64), first, 32);
    assert_int_equal(ask(TV_GENRAND, AT(64), AT(0), 0, 0), TV_OK);
    get(AT(64), second, 32);
    assert_memory_not_equal(first, second, 32);
    fake_fail_nth(FAKE_RANDOM, 1, 0);
    assert_int_equal(ask(TV_GENRAND, AT(64), AT(0), 0, 0), TV_ERROR_NO_ENTROPY);
    get(AT(64), first, 32);
    assert_memory_equal(first, second, 32);
    fake_random_stick(true, 5);
    const struct tv_buffer to = {.address = AT(64), .length = 8};
    put(AT(0), &to, sizeof to);
    assert_int_equal(ask(TV_RANDOM, AT(0), 0, 0, 0), TV_ERROR_NO_ENTROPY);
    wanted = TV_RANDOM_MAX + 1;
    put(AT(0), &wanted, 4);
    assert_int_equal(ask(TV_GENRAND, AT(64), AT(0), 0, 0), TV_ERROR_LENGTH);
}

/* SEAL and UNSEAL of the old interface, in both widths; lengths of outputs are not read. */
static void seal_old(void)
{
    struct tv_pcr_info info = {.selection = {1, 0x81}};
    uint32_t junk = 0xffffffff;
    char text[12], creation[20];
    (void)tv_composite_sha1(pcrs(), 0x81, NULL, info.digest_at_release);
    put(AT(0x100), "eleven char", 12);
    put_pair(AT(0), AT(0x100), 12);
    put(AT(0x40), &info, sizeof info);
    put_pair(AT(0x80), AT(0x200), AT(0xa0));
    put(AT(0xa0), &junk, 4);
    assert_int_equal(ask(TV_SEAL, AT(0), AT(0x40), AT(0x80), 0), TV_OK);
    assert_int_equal(get32(AT(0xa0)), 12 + TV_SEALED_OVERHEAD);
    put_pair(AT(0), AT(0x200), 12 + TV_SEALED_OVERHEAD);
    put_pair(AT(0x80), AT(0x180), AT(0xa0));
    put(AT(0xa0), &junk, 4);
    assert_int_equal(ask(TV_UNSEAL, AT(0), AT(0x80), AT(0xc0), 0), TV_OK);
    assert_int_equal(get32(AT(0xa0)), 12);
    get(AT(0x180), text, 12);
    assert_string_equal(text, "eleven char");
    get(AT(0xc0), creation, 20);
    assert_memory_equal(creation, info.digest_at_release, 20);
    assert_int_equal(ask(TV_PCREXT, 7, AT(0), 0, 0), TV_OK);
    assert_int_equal(ask(TV_UNSEAL, AT(0), AT(0x80), AT(0xc0), 0), TV_ERROR_BLOB_PCR);
    put_pair(AT(0), AT(0x200), 1ULL << 33 | 1);
    if (suite.isolated[0].width == VCPU_64BIT) {
        assert_int_equal(ask(TV_UNSEAL, AT(0), AT(0x80), AT(0xc0), 0), TV_ERROR_LENGTH);
    }
}

static void test_sealing_in_both_widths(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin((enum suite_mode)mode);
        seal_old();
    }
}

static void test_first_interface(void **state)
{
    (void)state;
    uint8_t other[20] = {8};
    put(AT(0x100), "seven c", 8);
    put_pair(AT(0), AT(0x100), 8);
    put_pair(AT(0x80), AT(0x200), AT(0xa0));
    assert_int_equal(ask(TV_SEAL_1, AT(0), 0, AT(0x80), 0), TV_OK);
    put_pair(AT(0x20), AT(0x200), 8 + TV_SEALED_OVERHEAD);
    put_pair(AT(0x80), AT(0x180), AT(0xa0));
    assert_int_equal(ask(TV_UNSEAL_1, AT(0x20), AT(0x80), 0, 0), TV_OK);
    put(AT(0x40), other, 20);
    put_pair(AT(0x80), AT(0x200), AT(0xa0));
    assert_int_equal(ask(TV_SEAL_1, AT(0), AT(0x40), AT(0x80), 0), TV_OK);
    put_pair(AT(0x80), AT(0x180), AT(0xa0));
    assert_int_equal(ask(TV_UNSEAL_1, AT(0x20), AT(0x80), 0, 0), TV_ERROR_BLOB_PCR);
}

static void test_own_interface(void **state)
{
    (void)state;
    struct tv_seal seal = {.data = AT(0x100),
                           .blob = AT(0x200),
                           .data_bytes = 16,
                           .blob_bytes = 16 + TV_SEALED_OVERHEAD,
                           .selection = 1};
    struct tv_unseal unseal = {.blob = AT(0x200),
                               .data = AT(0x180),
                               .blob_bytes = 16 + TV_SEALED_OVERHEAD,
                               .data_bytes = 15};
    put(AT(0), &seal, sizeof seal);
    assert_int_equal(ask(TV_SEAL_DATA, AT(0), 0, 0, 0), TV_OK);
    put(AT(0), &unseal, sizeof unseal);
    assert_int_equal(ask(TV_UNSEAL_DATA, AT(0), 0, 0, 0), TV_ERROR_LENGTH);
    unseal.data_bytes = 16;
    put(AT(0), &unseal, sizeof unseal);
    assert_int_equal(ask(TV_UNSEAL_DATA, AT(0), 0, 0, 0), TV_OK);
    get(AT(0), &unseal, sizeof unseal);
    assert_memory_equal(unseal.sealer, pcrs()->identity.sha256, 32);
    seal.flags = TV_SEAL_IDENTITY; /* of a PAL whose identity is zero */
    put(AT(0), &seal, sizeof seal);
    assert_int_equal(ask(TV_SEAL_DATA, AT(0), 0, 0, 0), TV_OK);
    put(AT(0), &unseal, sizeof unseal);
    assert_int_equal(ask(TV_UNSEAL_DATA, AT(0), 0, 0, 0), TV_ERROR_BLOB_OWNER);
    seal.flags = 4;
    put(AT(0), &seal, sizeof seal);
    assert_int_equal(ask(TV_SEAL_DATA, AT(0), 0, 0, 0), TV_ERROR_FLAGS);
    seal = (struct tv_seal){.selection = 0x100, .blob_bytes = 4096};
    put(AT(0), &seal, sizeof seal);
    assert_int_equal(ask(TV_SEAL_DATA, AT(0), 0, 0, 0), TV_ERROR_PCR);
    seal = (struct tv_seal){.data_bytes = 0xffffffff, .blob_bytes = 0xffffffff};
    put(AT(0), &seal, sizeof seal);
    assert_int_equal(ask(TV_SEAL_DATA, AT(0), 0, 0, 0), TV_ERROR_LENGTH);
}

static void test_quote(void **state)
{
    (void)state;
    struct tv_quote quote = {.evidence = AT(0x200), .evidence_bytes = 100, .selection = 1};
    struct tv_evidence evidence;
    put(AT(0), &quote, sizeof quote);
    assert_int_equal(ask(TV_QUOTE_PAL, AT(0), 0, 0, 0), TV_ERROR_LENGTH);
    quote.evidence_bytes = TV_EVIDENCE_MAX;
    put(AT(0), &quote, sizeof quote);
    assert_int_equal(ask(TV_QUOTE_PAL, AT(0), 0, 0, 0), TV_OK);
    get(AT(0x200), &evidence, sizeof evidence);
    assert_string_equal(evidence.magic, TV_EVIDENCE_MAGIC);
    assert_int_equal(evidence.root, TV_ROOT_RANDOM);
    assert_memory_equal(evidence.identity, pal.answer.measurement, 32);
    struct tv_buffer key = {.address = AT(0x200), .length = TV_QUOTE_KEY_BYTES};
    put(AT(0), &key, sizeof key);
    assert_int_equal(ask(TV_QUOTE_KEY, AT(0), 0, 0, 0), TV_OK);
}

static void test_nv_has_one_owner(void **state)
{
    (void)state;
    uint8_t content[TV_NV_BYTES] = {1, 2, 3};
    assert_int_equal(ask(TV_NV_READALL, AT(0), 0, 0, 0), TV_ERROR_NV_OWNER);
    assert_int_equal(tv_set_nv(&suite.tv, 20, pcrs()->identity.sha1, NULL), TV_OK);
    assert_int_equal(ask(TV_NV_GETSIZE, AT(0), 0, 0, 0), TV_OK);
    assert_int_equal(get32(AT(0)), TV_NV_BYTES);
    put(AT(0), content, sizeof content);
    assert_int_equal(ask(TV_NV_WRITEALL, AT(0), 0, 0, 0), TV_OK);
    assert_int_equal(ask(TV_NV_READALL, AT(64), 0, 0, 0), TV_OK);
    get(AT(64), content, sizeof content);
    assert_int_equal(content[2], 3);
    assert_int_equal(ask(TV_PCREXT, 0, AT(0), 0, 0), TV_OK); /* gives the right up */
    assert_int_equal(ask(TV_NV_READALL, AT(0), 0, 0, 0), TV_ERROR_NV_OWNER);
}

/* A boot ends, and the next one has the same root secret, or not. */
static void test_nv_outlives_a_boot(void **state)
{
    (void)state;
    const uint8_t secret[TV_ROOT_BYTES] = {9}, other[TV_ROOT_BYTES] = {8};
    uint8_t content[TV_NV_BYTES] = {1, 2, 3}, blob[TV_NV_BLOB_BYTES], read[TV_NV_BYTES];
    struct tv_platform *platform = &suite.tv.platform;

    tv_set_root(&suite.tv, TV_ROOT_MODULE, false, secret);
    assert_int_equal(tv_set_nv(&suite.tv, 32, pcrs()->identity.sha256, NULL), TV_OK);
    put(AT(0), content, sizeof content);
    assert_int_equal(ask(TV_NV_WRITEALL, AT(0), 0, 0, 0), TV_OK);
    assert_int_equal(tv_nv_export(platform, &suite.tv.cpu[0].random, blob), TV_OK);

    begin(SUITE_32);
    tv_set_root(&suite.tv, TV_ROOT_MODULE, false, secret);
    assert_int_equal(tv_set_nv(&suite.tv, 20, pcrs()->identity.sha1, blob), TV_OK);
    assert_int_equal(ask(TV_NV_READALL, AT(64), 0, 0, 0), TV_OK);
    get(AT(64), read, sizeof read);
    assert_memory_equal(read, content, sizeof content);

    blob[50] ^= 1;
    assert_int_equal(tv_set_nv(&suite.tv, 20, pcrs()->identity.sha1, blob), TV_ERROR_BLOB_CHANGED);
    blob[50] ^= 1;
    tv_set_root(&suite.tv, TV_ROOT_MODULE, false, other);
    assert_int_equal(tv_set_nv(&suite.tv, 20, pcrs()->identity.sha1, blob), TV_ERROR_BLOB_CHANGED);
    tv_nv_read(platform, read);
    assert_int_equal(read[0], 0);
    blob[0] ^= 1;
    assert_int_equal(tv_set_nv(&suite.tv, 0, NULL, blob), TV_ERROR_BLOB_FORMAT);
    assert_int_equal(ask(TV_NV_READALL, AT(64), 0, 0, 0), TV_ERROR_NV_OWNER);
    tv_root_wipe(&platform->root);
    assert_int_equal(tv_set_nv(&suite.tv, 0, NULL, blob), TV_ERROR_NO_ROOT);
    assert_int_equal(tv_nv_export(platform, &suite.tv.cpu[0].random, blob), TV_ERROR_NO_ROOT);
}

static void test_nothing_without_keys(void **state)
{
    (void)state;
    suite_pal_return(0, 0);
    tv_wipe_all(&suite.tv, 0);
    assert_int_equal(suite.tv.platform.root.source, TV_ROOT_NONE);
    static const uint8_t zero[32];
    assert_memory_equal(suite.tv.platform.root.seal_key, zero, 32);
}

/* The key of the machine's takes longer than any budget, and other PALs use it too. */
static void test_making_the_key_is_free(void **state)
{
    (void)state;
    const uint32_t room = 4096;
    put(AT(4000), &room, 4);
    uint64_t result;
    suite.tv.config.budget_ticks = 1000000;
    suite.poll_cycles = 4 * suite.tv.config.budget_ticks;
    assert_int_equal(ask(TV_ID_GETPUB, AT(0), AT(4000), 0, 0), TV_OK);
    assert_true(tv_root_has_rsa(&suite.tv.platform.root));
    put(AT(4000), &room, 4);
    assert_int_equal(ask(TV_ID_GETPUB, AT(0), AT(4000), 0, 0), TV_OK);
    fake_tsc_advance(suite.tv.config.budget_ticks + 1);
    suite_pal_stop(0, VCPU_STOP_CALL, 0, 0);
    assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registers, setup),
        cmocka_unit_test_setup(test_addresses, setup),
        cmocka_unit_test_setup(test_random_numbers, setup),
        cmocka_unit_test(test_sealing_in_both_widths),
        cmocka_unit_test_setup(test_first_interface, setup),
        cmocka_unit_test_setup(test_own_interface, setup),
        cmocka_unit_test_setup(test_quote, setup),
        cmocka_unit_test_setup(test_nv_has_one_owner, setup),
        cmocka_unit_test_setup(test_nv_outlives_a_boot, setup),
        cmocka_unit_test_setup(test_making_the_key_is_free, setup),
        cmocka_unit_test_setup(test_nothing_without_keys, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
