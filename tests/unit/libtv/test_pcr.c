/* Registers and composites, against values that Python's hashlib computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/tpm.h>

static const uint8_t sha1_of_0[] = {0x6b, 0x7d, 0xa2, 0x31, 0x9f, 0xa4, 0x78, 0xf0, 0xba, 0x1b,
                                    0x93, 0x38, 0x91, 0x1a, 0x05, 0x0a, 0xe2, 0x46, 0x08, 0x9b};
static const uint8_t sha1_of_7[] = {0xf8, 0x7c, 0xfc, 0x25, 0xe0, 0x47, 0xab, 0x7f, 0xa1, 0xc1,
                                    0xd2, 0xcc, 0xa2, 0xc7, 0xff, 0xaa, 0x70, 0x6c, 0xd2, 0x3a};
static const uint8_t sha1_of_7_twice[] = {0x02, 0x47, 0xce, 0x69, 0xbe, 0x2d, 0xbf,
                                          0x66, 0x61, 0x97, 0x5b, 0x63, 0x15, 0x61,
                                          0x0f, 0xa8, 0xce, 0xe1, 0x07, 0x2c};
static const uint8_t sha256_of_0[] = {
    0x87, 0xf4, 0x10, 0xf2, 0xf1, 0x52, 0xca, 0xb3, 0xaa, 0xa1, 0x25, 0x1f, 0xc6, 0xc7, 0xb2, 0xa8,
    0xb0, 0x35, 0x0c, 0x5c, 0x25, 0xd4, 0x20, 0x85, 0xad, 0x23, 0x70, 0xa1, 0xb0, 0x39, 0x5c, 0x6d};
static const uint8_t sha256_of_7[] = {
    0xbb, 0x22, 0x75, 0xc4, 0x9f, 0x28, 0xad, 0x52, 0xca, 0xe6, 0xd5, 0x5e, 0x34, 0xa9, 0x74, 0xa5,
    0x8c, 0x7a, 0x3b, 0xa2, 0x6f, 0x97, 0x6e, 0x8e, 0xcb, 0xbe, 0x7a, 0x53, 0x69, 0x18, 0xdc, 0x73};
static const uint8_t composite_digest[] = {0x68, 0xbd, 0x41, 0xfa, 0xad, 0x4f, 0xb2,
                                           0xef, 0x9c, 0xb8, 0xf8, 0x75, 0xd6, 0x1a,
                                           0x97, 0x4b, 0xc7, 0x68, 0xc5, 0xe5};
static const uint8_t empty_digest[] = {0x55, 0xa0, 0xc9, 0x30, 0xa8, 0x04, 0x66, 0x5f, 0xd0, 0xae,
                                       0x2a, 0xa9, 0x14, 0xe3, 0x9e, 0xc2, 0x89, 0x8b, 0xab, 0xaf};
static const uint8_t composite256[] = {
    0xcd, 0x75, 0xba, 0x14, 0x38, 0x5c, 0x03, 0x56, 0x8e, 0x77, 0xe2, 0x8a, 0xcf, 0x9a, 0x26, 0x82,
    0x44, 0x25, 0xf4, 0x78, 0x64, 0xd5, 0xfe, 0x86, 0x98, 0xeb, 0xe8, 0x5e, 0x10, 0xab, 0xe0, 0x74};
static const uint8_t empty256[] = {0xdf, 0x3f, 0x61, 0x98, 0x04, 0xa9, 0x2f, 0xdb, 0x40, 0x57, 0x19,
                                   0x2d, 0xc4, 0x3d, 0xd7, 0x48, 0xea, 0x77, 0x8a, 0xdc, 0x52, 0xbc,
                                   0x49, 0x8c, 0xe8, 0x05, 0x24, 0xc0, 0x14, 0xb8, 0x11, 0x19};

static struct tv_pcrs pcrs;
static uint8_t counted[32], digest[32];

static int setup(void **state)
{
    struct tv_measurement identity;
    (void)state;
    memset(identity.sha1, 0x11, sizeof identity.sha1);
    memset(identity.sha256, 0x22, sizeof identity.sha256);
    memset(&pcrs, 0xa5, sizeof pcrs);
    tv_pcrs_begin(&pcrs, &identity);
    for (unsigned i = 0; i < sizeof counted; i++) {
        counted[i] = (uint8_t)i;
    }
    return 0;
}

static void test_begin(void **state)
{
    static const struct tv_measurement zero;
    (void)state;
    assert_int_equal(pcrs.identity.sha1[19], 0x11);
    assert_int_equal(pcrs.identity.sha256[31], 0x22);
    assert_memory_equal(&pcrs.pcr[0], &pcrs.identity, sizeof pcrs.identity);
    for (unsigned i = 1; i < TV_PCRS; i++) {
        assert_memory_equal(&pcrs.pcr[i], &zero, sizeof zero);
    }
}

static void test_extend_sha1(void **state)
{
    struct tv_pcrs before = pcrs;
    (void)state;
    assert_int_equal(tv_pcr_extend_sha1(&pcrs, 0, counted), TV_OK);
    assert_memory_equal(pcrs.pcr[0].sha1, sha1_of_0, sizeof sha1_of_0);
    assert_int_equal(tv_pcr_extend_sha1(&pcrs, 7, counted), TV_OK);
    assert_memory_equal(pcrs.pcr[7].sha1, sha1_of_7, sizeof sha1_of_7);
    assert_int_equal(tv_pcr_extend_sha1(&pcrs, 7, counted), TV_OK);
    assert_memory_equal(pcrs.pcr[7].sha1, sha1_of_7_twice, sizeof sha1_of_7_twice);
    /* Nothing else changed: neither the other bank nor the identity. */
    memcpy(pcrs.pcr[0].sha1, before.pcr[0].sha1, br_sha1_SIZE);
    memcpy(pcrs.pcr[7].sha1, before.pcr[7].sha1, br_sha1_SIZE);
    assert_memory_equal(&pcrs, &before, sizeof pcrs);
}

static void test_extend_sha256(void **state)
{
    struct tv_pcrs before = pcrs;
    (void)state;
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 0, counted), TV_OK);
    assert_memory_equal(pcrs.pcr[0].sha256, sha256_of_0, sizeof sha256_of_0);
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 7, counted), TV_OK);
    assert_memory_equal(pcrs.pcr[7].sha256, sha256_of_7, sizeof sha256_of_7);
    memcpy(pcrs.pcr[0].sha256, before.pcr[0].sha256, br_sha256_SIZE);
    memcpy(pcrs.pcr[7].sha256, before.pcr[7].sha256, br_sha256_SIZE);
    assert_memory_equal(&pcrs, &before, sizeof pcrs);
}

static void test_no_such_register(void **state)
{
    static const uint32_t wrong[] = {TV_PCRS, TV_PCRS + 1, 0x80000000, UINT32_MAX};
    struct tv_pcrs before = pcrs;
    (void)state;
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(tv_pcr_extend_sha1(&pcrs, wrong[i], counted), TV_ERROR_PCR);
        assert_int_equal(tv_pcr_extend_sha256(&pcrs, wrong[i], counted), TV_ERROR_PCR);
    }
    assert_memory_equal(&pcrs, &before, sizeof pcrs);
}

static void test_composite_sha1(void **state)
{
    static const uint8_t header[] = {1, 0, 0x81, 0, 0, 0, 40};
    uint8_t composite[TV_PCR_COMPOSITE_MAX];
    (void)state;
    tv_pcr_extend_sha1(&pcrs, 0, counted);
    tv_pcr_extend_sha1(&pcrs, 7, counted);
    assert_int_equal(tv_composite_sha1(&pcrs, 0x81, composite, digest), 47);
    assert_memory_equal(composite, header, sizeof header);
    assert_memory_equal(composite + 7, sha1_of_0, 20);
    assert_memory_equal(composite + 27, sha1_of_7, 20);
    assert_memory_equal(digest, composite_digest, sizeof composite_digest);
    memset(digest, 0, sizeof digest);
    assert_int_equal(tv_composite_sha1(&pcrs, 0x81, NULL, digest), 47);
    assert_memory_equal(digest, composite_digest, sizeof composite_digest);
    assert_int_equal(tv_composite_sha1(&pcrs, 0, NULL, digest), 7);
    assert_memory_equal(digest, empty_digest, sizeof empty_digest);
    assert_int_equal(tv_composite_sha1(&pcrs, 0xff, composite, digest), sizeof composite);
}

static void test_composite_sha256(void **state)
{
    (void)state;
    tv_pcr_extend_sha256(&pcrs, 0, counted);
    tv_pcr_extend_sha256(&pcrs, 7, counted);
    tv_composite_sha256(&pcrs, 0x81, digest);
    assert_memory_equal(digest, composite256, sizeof composite256);
    tv_composite_sha256(&pcrs, 0, digest);
    assert_memory_equal(digest, empty256, sizeof empty256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_begin, setup),
        cmocka_unit_test_setup(test_extend_sha1, setup),
        cmocka_unit_test_setup(test_extend_sha256, setup),
        cmocka_unit_test_setup(test_no_such_register, setup),
        cmocka_unit_test_setup(test_composite_sha1, setup),
        cmocka_unit_test_setup(test_composite_sha256, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
