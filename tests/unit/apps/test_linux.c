/* Checks of a kernel image: each thing that can be wrong, every truncation, random headers. */
#include "cmocka_all.h"
#include "linux_sample.h"

#include "linux.h"

#include <stdlib.h>

static uint8_t header[LINUX_HEADER_BYTES];
static struct linux_image image;

static int fresh(void **state)
{
    (void)state;
    sample_header(header);
    return 0;
}

static enum linux_error inspect(void)
{
    return linux_inspect(header, SAMPLE_BYTES, &image);
}

static void test_good_image(void **state)
{
    (void)state;
    assert_int_equal(inspect(), LINUX_OK);
    assert_int_equal(image.header_end, SAMPLE_HEADER_END);
    assert_true(image.setup_bytes == SAMPLE_SETUP_BYTES);
    assert_true(image.kernel_bytes == SAMPLE_KERNEL_BYTES);
    assert_true(image.pref_address == SAMPLE_PREF);
    assert_true(image.span_bytes == SAMPLE_SPAN);
    assert_int_equal(image.kernel_alignment, 0x200000);
    assert_true(image.relocatable);
    assert_true(image.initrd_max == 0x80000000);
    assert_int_equal(image.cmdline_max_bytes, 2047);
    assert_int_equal(image.version, 0x20f);
    sample_put(header, 0x1f1, 0, 1); /* boot.rst: 0 means 4 */
    assert_int_equal(inspect(), LINUX_OK);
    assert_true(image.setup_bytes == SAMPLE_SETUP_BYTES);
    sample_put(header, 0x260, 0x1000, 4); /* a span shorter than the file itself */
    assert_int_equal(inspect(), LINUX_OK);
    assert_true(image.span_bytes == SAMPLE_KERNEL_BYTES);
    sample_put(header, 0x22c, 0xffffffff, 4);
    assert_int_equal(inspect(), LINUX_OK);
    assert_true(image.initrd_max == 1ULL << 32);
}

static void test_each_damage_has_its_own_error(void **state)
{
    const struct {
        unsigned offset, bytes;
        uint64_t value;
        enum linux_error error;
    } cases[] = {
        {0x1fe, 2, 0x55aa, LINUX_NO_SIGNATURE},
        {0x1fe, 2, 0, LINUX_NO_SIGNATURE},
        {0x202, 4, 0, LINUX_NO_MAGIC},
        {0x205, 1, 's', LINUX_NO_MAGIC},
        {0x206, 2, 0x209, LINUX_OLD},
        {0x206, 2, 0x20a, LINUX_OK},
        {0x211, 1, 0x80, LINUX_NOT_HIGH},
        {0x201, 1, 0x61, LINUX_BAD_HEADER}, /* ends before init_size */
        {0x201, 1, 0x62, LINUX_OK},
        {0x201, 1, 0x8e, LINUX_OK},
        {0x201, 1, 0x8f, LINUX_BAD_HEADER}, /* reaches into what follows the header */
        {0x1f4, 4, 0, LINUX_BAD_HEADER},
        {0x230, 4, 0, LINUX_BAD_HEADER},
        {0x230, 4, 0x300000, LINUX_BAD_HEADER},
        {0x258, 8, 1ULL << 32, LINUX_BAD_HEADER},
        {0x258, 8, UINT64_MAX, LINUX_BAD_HEADER},
        {0x258, 8, 0xff800000, LINUX_OK},
        {0x258, 8, 0xff801000, LINUX_BAD_HEADER}, /* ends past 4 GiB */
        {0x260, 4, 0xffffffff, LINUX_BAD_HEADER},
        {0x1f4, 4, SAMPLE_KERNEL_BYTES / 16 + 1, LINUX_TRUNCATED},
        {0x1f4, 4, 0x8000000, LINUX_TRUNCATED},
        {0x1f1, 1, 255, LINUX_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh(state);
        sample_put(header, cases[i].offset, cases[i].value, cases[i].bytes);
        assert_int_equal(inspect(), cases[i].error);
    }
    fresh(state);
    sample_put(header, 0x234, 0, 1);
    sample_put(header, 0x230, 0, 4); /* does not matter for a kernel that stays */
    assert_int_equal(inspect(), LINUX_OK);
    assert_false(image.relocatable);
}

/* REQ-MEM-4: whatever length a module is cut to is noticed, without reading behind it. */
static void test_every_truncation_req_mem_4(void **state)
{
    (void)state;
    for (uint64_t bytes = 0; bytes < LINUX_HEADER_BYTES; bytes++) {
        uint8_t *cut = malloc(bytes + 1);
        memcpy(cut, header, bytes);
        assert_int_equal(linux_inspect(cut, bytes, &image), LINUX_SHORT);
        free(cut);
    }
    for (uint64_t bytes = LINUX_HEADER_BYTES; bytes < SAMPLE_BYTES;
         bytes += bytes < 8192 ? 1 : 4099) {
        assert_int_equal(linux_inspect(header, bytes, &image), LINUX_TRUNCATED);
    }
    assert_int_equal(linux_inspect(header, SAMPLE_BYTES - 1, &image), LINUX_TRUNCATED);
    assert_int_equal(linux_inspect(header, SAMPLE_BYTES + 100, &image), LINUX_OK);
}

/* REQ-MEM-4: an accepted header promises everything that placing relies on. */
static void test_random_headers_req_mem_4(void **state)
{
    uint64_t seed = 0x5eed;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 200000; round++) {
        fresh(state);
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            unsigned offset = 0x1f1 + (unsigned)(random_next(&seed) % (LINUX_HEADER_BYTES - 0x1f1));
            header[offset] = (uint8_t)random_next(&seed);
        }
        if (inspect() != LINUX_OK) {
            continue;
        }
        accepted++;
        assert_in_range(image.header_end, 0x264, LINUX_HEADER_BYTES);
        assert_true(image.setup_bytes + image.kernel_bytes <= SAMPLE_BYTES);
        assert_true(image.kernel_bytes > 0 && image.kernel_bytes <= image.span_bytes);
        assert_true(image.pref_address + image.span_bytes <= 1ULL << 32);
        assert_true(!image.relocatable || __builtin_popcount(image.kernel_alignment) == 1);
        assert_true(image.initrd_max <= 1ULL << 32);
    }
    assert_in_range(accepted, 1000, 199000);
}

static void test_every_error_has_one_line_of_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= LINUX_ERROR_COUNT; i++) {
        const char *text = linux_error_text((enum linux_error)i);
        assert_true(strlen(text) > 1 && strlen(text) < 100);
        assert_null(strchr(text, '\n'));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(text, linux_error_text((enum linux_error)j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_image, fresh),
        cmocka_unit_test_setup(test_each_damage_has_its_own_error, fresh),
        cmocka_unit_test_setup(test_every_truncation_req_mem_4, fresh),
        cmocka_unit_test_setup(test_random_headers_req_mem_4, fresh),
        cmocka_unit_test(test_every_error_has_one_line_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
