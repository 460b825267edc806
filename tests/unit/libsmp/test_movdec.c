/*
 * libsmp/movdec.c: decoder of stores to the APIC page (REQ-SMP-6).
 */
#include "movdec_examples.h"
#include "suite.h"

#include <smp/movdec.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct hw_gprs *gprs)
{
    for (unsigned n = 0; n < HW_GPR_COUNT; n++) {
        gprs->gpr[n] = REG(n);
    }
    gprs->gpr[HW_RSP] = 0xdeadbeefdeadbeef; /* must not be used */
}

static void check_example(const struct example *example)
{
    struct smp_mov mov;
    struct hw_gprs gprs;

    fill(&gprs);
    /* A buffer of exactly the length: the sanitizer sees a byte too many. */
    uint8_t *exact = malloc(example->length);
    memcpy(exact, example->bytes, example->length);
    if (!smp_mov_decode(&mov, exact, example->length, example->code_bytes)) {
        fail_msg("not decoded: %s", example->text);
    }
    uint64_t value = smp_mov_value(&mov, &gprs, RSP);
    uint64_t address = smp_mov_address(&mov, &gprs, RSP, RIP, SEGMENT_BASE);
    if (mov.length != example->length || mov.operand_bytes != example->operand_bytes ||
        mov.segment != example->segment || value != example->value || address != example->address) {
        fail_msg("%s: length %u, operand %u, segment %u, value %llx, address %llx", example->text,
                 mov.length, mov.operand_bytes, mov.segment, (unsigned long long)value,
                 (unsigned long long)address);
    }
    free(exact);
    for (unsigned count = 0; count < example->length; count++) {
        uint8_t *part = malloc(count + 1);
        uint8_t *tight = count == 0 ? part : realloc(part, count);
        memcpy(tight, example->bytes, count);
        assert_false(smp_mov_decode(&mov, tight, count, example->code_bytes));
        free(tight);
    }
}

static bool same(const struct smp_mov *a, const struct smp_mov *b)
{
    return a->length == b->length && a->operand_bytes == b->operand_bytes &&
           a->address_bytes == b->address_bytes && a->code_bytes == b->code_bytes &&
           a->source == b->source && a->source_high == b->source_high && a->base == b->base &&
           a->index == b->index && a->scale_shift == b->scale_shift &&
           a->rip_relative == b->rip_relative && a->segment == b->segment &&
           a->displacement == b->displacement && a->immediate == b->immediate;
}

/* With 15 bytes at hand, as on a VM exit, some forms take a shorter way: the result is the same. */
static void check_both_ways(const uint8_t *bytes, unsigned code_bytes)
{
    struct smp_mov with_all, with_own;

    memset(&with_all, 0x11, sizeof(with_all));
    memset(&with_own, 0x11, sizeof(with_own));
    if (smp_mov_decode(&with_all, bytes, SMP_MOV_MAX_BYTES, code_bytes)) {
        assert_true(smp_mov_decode(&with_own, bytes, with_all.length, code_bytes));
        assert_true(same(&with_all, &with_own));
    } else {
        for (unsigned count = 0; count < SMP_MOV_MAX_BYTES; count++) {
            assert_false(smp_mov_decode(&with_own, bytes, count, code_bytes));
        }
    }
}

static void test_short_way_decides_the_same(void **state)
{
    static const uint8_t opcodes[] = {0x89, 0xc7, 0x88, 0xa3};

    (void)state;
    for (unsigned first = 0; first < 4 * 256 * 256; first++) {
        uint8_t code[15] = {opcodes[first & 3],
                            (uint8_t)(first >> 2),
                            (uint8_t)(first >> 10),
                            0x80,
                            0x91,
                            0xa2,
                            0xb3,
                            0xc4,
                            0xd5,
                            0xe6,
                            0xf7,
                            0x88,
                            0x99,
                            0x1a};
        check_both_ways(code, 2);
        check_both_ways(code, 4);
        check_both_ways(code, 8);
    }
}

static void check_examples(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_example(&examples[i]);
        check_both_ways(examples[i].bytes, examples[i].code_bytes);
    }
}
#define CHECK_ALL(examples) check_examples(examples, sizeof(examples) / sizeof((examples)[0]))

static void test_REQ_SMP_6_64_bit_code(void **state)
{
    (void)state;
    CHECK_ALL(examples_64_bit);
}

static void test_REQ_SMP_6_32_bit_code(void **state)
{
    (void)state;
    CHECK_ALL(examples_32_bit);
}

static void test_REQ_SMP_6_16_bit_code(void **state)
{
    (void)state;
    CHECK_ALL(examples_16_bit);
}

static void test_refuses_all_else(void **state)
{
    static const struct {
        const char *text;
        uint8_t bytes[8];
        uint8_t code_bytes;
    } wrong[] = {
        {"mov %eax,%ecx", {0x89, 0xc1}, 8},
        {"mov (%rcx),%eax", {0x8b, 0x01}, 8},
        {"xabort", {0xc6, 0xf8, 0x01}, 8},
        {"xbegin", {0xc7, 0xf8, 1, 0, 0, 0}, 8},
        {"C7 /1", {0xc7, 0x09, 1, 0, 0, 0}, 8},
        {"C6 /7", {0xc6, 0x39, 1}, 8},
        {"mov %ds,(%rcx)", {0x8c, 0x19}, 8},
        {"movabs 0,%eax", {0xa1, 0, 0, 0, 0, 0, 0, 0}, 8},
        {"stos", {0xab}, 8},
        {"movs", {0xa5}, 8},
        {"xchg", {0x87, 0x01}, 8},
        {"or", {0x09, 0x01}, 8},
        {"lock mov", {0xf0, 0x89, 0x01}, 8},
        {"xacquire mov", {0xf2, 0x89, 0x01}, 8},
        {"xrelease mov", {0xf3, 0x89, 0x01}, 8},
        {"movnti", {0x0f, 0xc3, 0x01}, 8},
        {"two operand prefixes", {0x66, 0x66, 0x89, 0x01}, 8},
        {"two address prefixes", {0x67, 0x67, 0x89, 0x01}, 8},
        {"two segments", {0x64, 0x3e, 0x89, 0x01}, 8},
        {"prefix after REX", {0x48, 0x66, 0x89, 0x01}, 8},
        {"two REX", {0x48, 0x41, 0x89, 0x01}, 8},
        {"inc in 32-bit code", {0x48, 0x89, 0x01}, 4},
        {"inc in 16-bit code", {0x40, 0x89, 0x01}, 2},
    };
    struct smp_mov mov;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (smp_mov_decode(&mov, wrong[i].bytes, 8, wrong[i].code_bytes)) {
            fail_msg("decoded: %s", wrong[i].text);
        }
    }
}

/* All prefixes and the longest form: 15 bytes are the architecture's limit, more are not looked at.
 */
static void test_length_limit(void **state)
{
    static const uint8_t longest[16] = {0x66, 0x67, 0x65, 0x48, 0xc7, 0x84, 0x25, 1,
                                        2,    3,    4,    5,    6,    7,    8,    9};
    struct smp_mov mov;

    (void)state;
    assert_true(smp_mov_decode(&mov, longest, 16, 8));
    assert_int_equal(mov.length, 15);
    assert_false(smp_mov_decode(&mov, longest, 14, 8));
    assert_false(smp_mov_decode(&mov, longest, 0, 8));
}

/* Every first three bytes in every width: ends, within bounds, and with legal numbers. */
static void test_any_bytes(void **state)
{
    static const uint8_t widths[] = {2, 4, 8};
    struct hw_gprs gprs;
    struct smp_mov mov;
    unsigned decoded = 0;

    (void)state;
    fill(&gprs);
    for (uint32_t bytes = 0; bytes < 1u << 24; bytes += 1 + (bytes >> 8 & 3)) {
        uint8_t code[15] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16), 0x25};
        uint8_t width = widths[bytes % 3];
        unsigned count = 1 + bytes % 15;
        if (!smp_mov_decode(&mov, code, count, width)) {
            continue;
        }
        decoded++;
        assert_true(mov.length >= 2 && mov.length <= count && mov.scale_shift <= 3);
        assert_true(mov.segment <= SMP_MOV_GS);
        assert_true(mov.source < HW_GPR_COUNT || mov.source == SMP_MOV_NONE);
        uint64_t value = smp_mov_value(&mov, &gprs, RSP);
        assert_true(mov.operand_bytes == 8 || value >> 8 * mov.operand_bytes == 0);
        uint64_t address = smp_mov_address(&mov, &gprs, RSP, RIP, 0);
        assert_true(width == 8 || address >> 32 == 0);
    }
    assert_true(decoded > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_REQ_SMP_6_64_bit_code),
        cmocka_unit_test(test_REQ_SMP_6_32_bit_code),
        cmocka_unit_test(test_REQ_SMP_6_16_bit_code),
        cmocka_unit_test(test_refuses_all_else),
        cmocka_unit_test(test_length_limit),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_short_way_decides_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
