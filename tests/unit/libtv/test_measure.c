/* Measurements, against values that Python's hashlib and struct computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <tv/abi.h>
#include <tv/measure.h>

static const struct tv_measurement of_nothing = {
    {0x31, 0xa2, 0xdc, 0x4c, 0x22, 0xf9, 0xc5, 0x44, 0x4a, 0x41,
     0x62, 0x5d, 0x05, 0xf9, 0x58, 0x98, 0xe0, 0x55, 0xf7, 0x50},
    {0x1c, 0x9e, 0xce, 0xc9, 0x0e, 0x28, 0xd2, 0x46, 0x16, 0x50, 0x41,
     0x86, 0x35, 0x87, 0x8a, 0x5c, 0x91, 0xe4, 0x9f, 0x47, 0x58, 0x6e,
     0xcf, 0x75, 0xf2, 0xb0, 0xcb, 0xb9, 0x4e, 0x89, 0x71, 0x12}};
static const struct tv_measurement of_nacre = {
    {0x8f, 0xf5, 0xe6, 0x17, 0x03, 0x21, 0x3d, 0x06, 0xd0, 0x69,
     0x9a, 0x73, 0x09, 0x42, 0xb3, 0xc7, 0x55, 0x22, 0x86, 0xb0},
    {0xb4, 0x00, 0x12, 0x6a, 0x01, 0x16, 0x21, 0x91, 0xd0, 0xc9, 0xa4,
     0x79, 0xaf, 0xd2, 0xba, 0x3a, 0xee, 0xcc, 0x4b, 0xa3, 0xe9, 0x48,
     0x5a, 0xd0, 0x03, 0x59, 0x95, 0x26, 0x21, 0xf4, 0xe5, 0xea}};
static const struct tv_measurement of_nacre_then_nothing = {
    {0x22, 0xb2, 0x26, 0x35, 0xe1, 0xad, 0x92, 0x78, 0x33, 0xa5,
     0xab, 0x6d, 0xf0, 0x44, 0xc5, 0x8f, 0x99, 0x75, 0x04, 0xf3},
    {0x63, 0x5c, 0x11, 0x93, 0x4b, 0x01, 0x45, 0x2e, 0x3e, 0xde, 0x1b,
     0x14, 0xfe, 0x15, 0x20, 0xba, 0x13, 0xfc, 0xf6, 0x0d, 0x9e, 0x1c,
     0x8f, 0xb7, 0x3c, 0x5d, 0x29, 0x77, 0x07, 0x9e, 0x5f, 0xea}};
static const struct tv_measurement of_code = {
    {0xa8, 0xed, 0x9c, 0xbd, 0xac, 0x9f, 0x9d, 0xf5, 0x9a, 0xd7,
     0xc9, 0x88, 0x77, 0x33, 0x3e, 0x39, 0x0d, 0x74, 0xb2, 0x51},
    {0x48, 0x48, 0x11, 0x77, 0x9d, 0xab, 0x10, 0x04, 0x93, 0x44, 0x4d,
     0xed, 0xcb, 0xde, 0x15, 0xd9, 0x2f, 0x6b, 0xd9, 0xbd, 0xf3, 0xa5,
     0xed, 0x63, 0x77, 0xbf, 0x2b, 0x8c, 0x1e, 0xd9, 0x6b, 0xe1}};
static const struct tv_measurement of_code_then_stack = {
    {0x69, 0x60, 0x4c, 0xbd, 0xdb, 0x84, 0xa0, 0x86, 0x6f, 0x58,
     0xb3, 0x6e, 0xe9, 0x5d, 0x63, 0x12, 0x0f, 0x8a, 0xc9, 0xdb},
    {0x1f, 0xe3, 0x3f, 0xfc, 0x76, 0x84, 0x3c, 0x97, 0x6a, 0x55, 0x31,
     0x5c, 0x50, 0x3b, 0x8b, 0x45, 0xfa, 0x4e, 0xc1, 0x38, 0xa7, 0x09,
     0x1c, 0xb3, 0x57, 0xf6, 0x8d, 0x04, 0xda, 0x30, 0x2a, 0xa2}};
static const struct tv_measurement of_param_header = {
    {0xbe, 0x0c, 0xea, 0x8f, 0xf8, 0xa0, 0xc6, 0x2c, 0xd8, 0xbc,
     0xcd, 0x65, 0xc1, 0x80, 0xee, 0xb0, 0xa8, 0x1d, 0x4c, 0xc7},
    {0xca, 0xa8, 0xc4, 0x17, 0xd6, 0x4f, 0x41, 0x67, 0xe9, 0xb1, 0x1e,
     0x74, 0xa2, 0x15, 0x5c, 0xb5, 0x0c, 0xb9, 0x6a, 0x6b, 0xb5, 0x9b,
     0x26, 0x8e, 0xab, 0xab, 0x5b, 0x26, 0xd6, 0x48, 0x82, 0x9c}};

static struct tv_measure measure;
static struct tv_measurement measurement;
static uint8_t page[4096], zeros[8192];

static int setup(void **state)
{
    (void)state;
    memset(&measure, 0xa5, sizeof measure);
    memset(&measurement, 0, sizeof measurement);
    for (unsigned i = 0; i < sizeof page; i++) {
        page[i] = (uint8_t)(7 * i);
    }
    return 0;
}

static void must_be(const struct tv_measurement *expected)
{
    assert_memory_equal(measurement.sha1, expected->sha1, sizeof expected->sha1);
    assert_memory_equal(measurement.sha256, expected->sha256, sizeof expected->sha256);
}

static void extend_by(const void *data, size_t bytes)
{
    tv_measure_begin(&measure);
    tv_measure_add(&measure, data, bytes);
    tv_measure_extend(&measure, &measurement);
}

static void test_nothing(void **state)
{
    (void)state;
    tv_measure_begin(&measure);
    tv_measure_extend(&measure, &measurement);
    must_be(&of_nothing);
}

static void test_extend_depends_on_what_was_before(void **state)
{
    (void)state;
    extend_by("nacre", 5);
    must_be(&of_nacre);
    extend_by("", 0);
    must_be(&of_nacre_then_nothing);
}

static void test_begin_forgets(void **state)
{
    (void)state;
    tv_measure_begin(&measure);
    tv_measure_add(&measure, page, sizeof page);
    extend_by("nacre", 5);
    must_be(&of_nacre);
}

static void test_any_parts(void **state)
{
    (void)state;
    for (size_t part = 1; part < 300; part += 13) {
        memset(&measurement, 0, sizeof measurement);
        tv_measure_begin(&measure);
        tv_measure_section_header(&measure, TV_SECTION_CODE, 0x123456789abcd000, sizeof page);
        for (size_t at = 0; at < sizeof page; at += part) {
            tv_measure_add(&measure, page + at, part < sizeof page - at ? part : sizeof page - at);
        }
        tv_measure_extend(&measure, &measurement);
        must_be(&of_code);
    }
}

static void test_two_sections(void **state)
{
    (void)state;
    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, TV_SECTION_CODE, 0x123456789abcd000, sizeof page);
    tv_measure_add(&measure, page, sizeof page);
    tv_measure_extend(&measure, &measurement);
    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, TV_SECTION_STACK, 0x5000, sizeof zeros);
    tv_measure_add(&measure, zeros, sizeof zeros);
    tv_measure_extend(&measure, &measurement);
    must_be(&of_code_then_stack);
}

static struct tv_measurement of_header(uint32_t type, uint64_t start, uint64_t bytes)
{
    memset(&measurement, 0, sizeof measurement);
    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, type, start, bytes);
    tv_measure_extend(&measure, &measurement);
    return measurement;
}

/* PARAM and STACK are the same wherever the process has them; everything else counts. */
static void test_what_a_header_depends_on(void **state)
{
    (void)state;
    for (uint32_t type = TV_SECTION_CODE; type <= TV_SECTION_SHARED_CODE; type++) {
        bool is_placed = type != TV_SECTION_PARAM && type != TV_SECTION_STACK;
        struct tv_measurement first = of_header(type, 0x1000, 4096);
        struct tv_measurement moved = of_header(type, 0x2000, 4096);
        struct tv_measurement longer = of_header(type, 0x1000, 8192);
        struct tv_measurement other = of_header(type + 1, 0x1000, 4096);
        assert_int_equal(memcmp(&first, &moved, sizeof first) != 0, is_placed);
        assert_memory_not_equal(&first, &longer, sizeof first);
        assert_memory_not_equal(&first, &other, sizeof first);
    }
    of_header(TV_SECTION_PARAM, 0x1000, 4096);
    must_be(&of_param_header);
}

/* The SHA-1 identity leaves it out; every part of it counts in the other. */
static void test_description(void **state)
{
    static const uint8_t known[] = {0x4c, 0xdd, 0xcb, 0xaa, 0xf9, 0xd8, 0x02, 0x09,
                                    0xac, 0x56, 0x90, 0x3c, 0x20, 0x54, 0xcf, 0x7d,
                                    0x8a, 0x1c, 0x0b, 0x64, 0x8c, 0xc6, 0xb8, 0xa3,
                                    0x53, 0xc1, 0x7f, 0x82, 0x80, 0xc8, 0x7f, 0x0d};
    struct tv_pal_parameter parameters[] = {{TV_PARAM_INTEGER, 0, 0},
                                            {TV_PARAM_POINTER, TV_IN_OUT, 77}};
    const uint8_t zero[sizeof measurement.sha1] = {0};
    (void)state;
    tv_measure_description(&measurement, 8, TV_PAL_VECTOR, 0x10000123, 2, parameters);
    assert_memory_equal(measurement.sha256, known, sizeof known);
    assert_memory_equal(measurement.sha1, zero, sizeof zero);
    parameters[1].size++;
    memset(&measurement, 0, sizeof measurement);
    tv_measure_description(&measurement, 8, TV_PAL_VECTOR, 0x10000123, 2, parameters);
    assert_memory_not_equal(measurement.sha256, known, sizeof known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing, setup),
        cmocka_unit_test_setup(test_extend_depends_on_what_was_before, setup),
        cmocka_unit_test_setup(test_begin_forgets, setup),
        cmocka_unit_test_setup(test_any_parts, setup),
        cmocka_unit_test_setup(test_two_sections, setup),
        cmocka_unit_test_setup(test_what_a_header_depends_on, setup),
        cmocka_unit_test_setup(test_description, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
