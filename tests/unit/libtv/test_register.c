/* Registering PALs: every error of both interfaces, with nothing changed after it (REQ-PAL-3). */
#include "pal_test.h"

#include <bearssl.h>

#define BASE 0x10000000ULL

static struct suite_process process;
static struct suite_pal pal;

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

static void begin(unsigned mode, bool by_number)
{
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_pal_make(&pal, &process, BASE, by_number);
}

static void refused(enum tv_error expected)
{
    struct suite_state before = suite_state(&pal);
    enum tv_error error = suite_register(0, &pal);
    if (error != expected) {
        fail_msg("mode %d, by number %d: %s instead of %s", process.mode, pal.by_number,
                 tv_error_text(error), tv_error_text(expected));
    }
    suite_same(&before, &pal);
}

/* Once with a changed section, which is blamed. */
static void refused_section(enum tv_error expected, unsigned index, uint32_t type, uint32_t pages,
                            uint64_t start)
{
    struct tv_pal_section old = pal.section[index];
    pal.section[index] = (struct tv_pal_section){type, pages, start};
    refused(expected);
    pal.section[index] = old;
}

static void check_sections(void)
{
    uint64_t end = suite_width(&process) == VCPU_64BIT ? 1ULL << 47 : 0xfffff000;
    unsigned most = pal.by_number ? TV_PAL_SECTIONS_MAX : TV_SECTIONS_MAX;

    pal.section_count = 0;
    refused(TV_ERROR_NO_SECTIONS);
    pal.section_count = most + 1;
    refused(TV_ERROR_SECTION_COUNT);
    pal.section_count = 4;
    refused_section(TV_ERROR_SECTION_TYPE, 1, 0, 1, BASE + 0x8000);
    refused_section(TV_ERROR_SECTION_TYPE, 1, 6, 1, BASE + 0x8000);
    refused_section(TV_ERROR_SECTION_ALIGN, 1, TV_SECTION_DATA, 1, BASE + 0x8008);
    refused_section(TV_ERROR_SECTION_EMPTY, 1, TV_SECTION_DATA, 0, BASE + 0x8000);
    refused_section(TV_ERROR_SECTION_HUGE, 1, TV_SECTION_DATA, CONFIG_MAX_PAL_PAGES, BASE + 0x8000);
    refused_section(TV_ERROR_SECTION_HUGE, 1, TV_SECTION_DATA, ~0U, BASE + 0x8000);
    refused_section(TV_ERROR_SECTION_RANGE, 1, TV_SECTION_DATA, 1, end);
    refused_section(TV_ERROR_SECTION_RANGE, 1, TV_SECTION_DATA, 2, end - PAGE_BYTES);
    refused_section(TV_ERROR_SECTION_RANGE, 1, TV_SECTION_DATA, 2, -PAGE_BYTES);
    refused_section(TV_ERROR_SECTION_OVERLAP, 1, TV_SECTION_DATA, 1, BASE + PAGE_BYTES);
    refused_section(TV_ERROR_NO_PARAM_SECTION, 2, TV_SECTION_DATA, 1, BASE + SUITE_PARAM_AT);
    refused_section(TV_ERROR_NO_STACK_SECTION, 3, TV_SECTION_DATA, 1, BASE + SUITE_STACK_AT);
    refused_section(TV_ERROR_PAL_ENTRY, 0, TV_SECTION_SHARED_CODE, 2, BASE);
    pal.entry = BASE + SUITE_DATA_AT;
    refused(TV_ERROR_PAL_ENTRY);
    pal.entry = BASE + 0x10;
}

static void check_params(void)
{
    unsigned word = suite_width(&process);

    pal.param_count = TV_PARAMS_MAX + 1;
    refused(TV_ERROR_PARAM_COUNT);
    pal.param_count = 3;
    pal.param[0] = pal.param[1] = (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 0};
    pal.param[2] = (struct tv_pal_parameter){0, 0, 0};
    refused(TV_ERROR_PARAM_TYPE);
    assert_true(!pal.by_number || pal.answer.faulty == 2);
    pal.param[2] = (struct tv_pal_parameter){3, 0, 0};
    refused(TV_ERROR_PARAM_TYPE);
    pal.param[2] = (struct tv_pal_parameter){TV_PARAM_POINTER, TV_IN_OUT, 0};
    refused(TV_ERROR_PARAM_SIZE);
    /* The PARAM section has one page: 16 bytes, the count, three records. */
    pal.param[2].size = PAGE_BYTES - 16 - 8 - 3 * 24 + word;
    refused(TV_ERROR_PARAM_SIZE);
    assert_true(!pal.by_number || pal.answer.faulty == 0); /* the first one does not fit */
    pal.param[2].size = ~0ULL & ~7ULL;
    refused(TV_ERROR_PARAM_SIZE);
    if (pal.by_number) {
        pal.param[2] = (struct tv_pal_parameter){TV_PARAM_POINTER, 4, 8};
        refused(TV_ERROR_PARAM_TYPE);
        pal.param[2] = (struct tv_pal_parameter){TV_PARAM_POINTER, 0, 8};
        refused(TV_ERROR_PARAM_TYPE);
        pal.param[2] = (struct tv_pal_parameter){TV_PARAM_INTEGER, TV_IN, 0};
        refused(TV_ERROR_PARAM_TYPE);
        pal.param[2] = (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 8};
        refused(TV_ERROR_PARAM_SIZE);
    }
    pal.param_count = 0;
}

/* REQ-PAL-3, REQ-PAL-10: after all the refusals the very same PAL can be registered. */
static void test_wrong_arguments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        begin(i / 2, i % 2 != 0);
        struct suite_state before = suite_state(&pal);
        check_sections();
        check_params();
        assert_int_equal(suite_register(0, &pal), TV_OK);
        suite_check();
        struct tv_pal_register answer = pal.answer;
        refused(TV_ERROR_PAL_DUPLICATE);
        pal.entry++;
        refused(TV_ERROR_PAL_OVERLAP);
        pal.entry--;
        pal.answer = answer;
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
        assert_int_equal(suite_unregister(0, &pal), TV_ERROR_NO_SUCH_PAL);
        before.content = suite_state(&pal).content; /* wiped */
        suite_same(&before, &pal);
    }
}

static void test_version_and_flags(void **state)
{
    (void)state;
    begin(SUITE_64, true);
    pal.flags = TV_PAL_VECTOR;
    suite.isolated[0].has_vector = false;
    refused(TV_ERROR_FLAGS);
    suite.isolated[0].has_vector = true;
    for (uint32_t flags = 2; flags != 0; flags <<= 1) {
        pal.flags = flags | TV_PAL_VECTOR;
        refused(TV_ERROR_FLAGS);
    }
    pal.flags = TV_PAL_VECTOR;
    assert_int_equal(suite_register(0, &pal), TV_OK);
    struct tv_pal_register asked = {.version = 2};
    suite_put(&process, SUITE_ARGS, &asked, sizeof asked);
    assert_int_equal(suite_hypercall(0, TV_PAL_REGISTER, SUITE_ARGS, 0, 0, 0), TV_ERROR_VERSION);
    suite_get(&process, SUITE_ARGS, &asked, sizeof asked);
    assert_int_equal(asked.id, TV_CPUID_NO_PAL);
    uint64_t none = 0;
    assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    assert_true(suite.isolated[0].start.vector);
}

/* Arguments where the caller may not read, or write: at each page that they touch. */
static void test_arguments_in_bad_memory(void **state)
{
    (void)state;
    const uint64_t args = SUITE_ARGS + 3 * PAGE_BYTES, params = SUITE_BUFFER + 3 * PAGE_BYTES;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        begin(i / 2, i % 2 != 0);
        pal.param_count = 1;
        pal.param[0] = (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 0};
        uint64_t bad[] = {SUITE_ARGS, args, params};
        for (unsigned n = pal.by_number ? 0 : 1; n < 3; n++) {
            uint64_t frame = suite_gpa(&process, bad[n]);
            suite_map(&process, bad[n], frame, SUITE_WRITE); /* the kernel's */
            refused(TV_ERROR_ADDRESS);
            suite_map(&process, bad[n], SUITE_DEVICE, SUITE_RW);
            suite_map(&process, bad[n], frame, SUITE_RW);
        }
        if (pal.by_number) { /* what is written back */
            uint64_t frame = suite_gpa(&process, SUITE_ARGS);
            suite_map(&process, SUITE_ARGS, frame, SUITE_USER);
            refused(TV_ERROR_ADDRESS);
            suite_map(&process, SUITE_ARGS, frame, SUITE_RW);
        }
        assert_int_equal(suite_register(0, &pal), TV_OK);
    }
}

/* Addresses from nowhere. */
static void test_arguments_nowhere(void **state)
{
    (void)state;
    static const uint64_t where[] = {0, 0xffffffff, 1ULL << 47, ~0ULL, ~0ULL << 47, 0x7fffffffffff};
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin(mode, false);
        struct suite_state before = suite_state(&pal);
        for (unsigned i = 0; i < 6; i++) {
            for (unsigned n = 0; n < 6; n++) {
                uint64_t a = where[i], b = where[n];
                assert_int_equal(suite_hypercall(0, TV_REG, a, 0, b, b), TV_ERROR_ADDRESS);
                assert_int_equal(suite_hypercall(0, TV_UNREG, a, b, b, b), TV_ERROR_NO_SUCH_PAL);
                assert_int_equal(suite_hypercall(0, TV_SHARE, a, b, b, b), TV_ERROR_NO_SUCH_PAL);
                assert_int_equal(suite_hypercall(0, TV_PAL_REGISTER, a, b, b, b), TV_ERROR_ADDRESS);
                assert_int_equal(suite_hypercall(0, TV_PAL_UNREGISTER, a, b, b, b),
                                 TV_ERROR_NO_SUCH_PAL);
                assert_int_equal(suite_hypercall(0, TV_PAL_CALL, a, b, b, b), TV_ERROR_ADDRESS);
            }
        }
        suite_same(&before, &pal);
    }
}

/* Who may use a PAL: its own process, in its own width. */
static void test_other_processes(void **state)
{
    (void)state;
    struct suite_process other;
    for (unsigned by_number = 0; by_number < 2; by_number++) {
        begin(SUITE_64, by_number != 0);
        assert_int_equal(suite_register(0, &pal), TV_OK);
        suite_process_make(&other, SUITE_64);
        suite_run(1, &other);
        assert_int_equal(suite_unregister(1, &pal), TV_ERROR_NO_SUCH_PAL);
        suite_run(1, &process);
        suite.guest[1].width = VCPU_32BIT;
        assert_int_equal(suite_unregister(1, &pal), TV_ERROR_NO_SUCH_PAL);
        suite.guest[1].width = VCPU_64BIT;
        suite.guest[1].paging.cpl = 0;
        assert_int_equal(suite_unregister(1, &pal), TV_ERROR_NOT_USER);
        suite.guest[1].paging.cpl = 3;
        suite.guest[1].paging.cr3 ^= 0x8000000000000fffULL; /* PCID and no-flush */
        assert_int_equal(suite_unregister(1, &pal), TV_OK);
        suite_check();
    }
}

static void extend_digest(uint8_t identity[32], const uint8_t digest[32])
{
    br_sha256_context sha;

    br_sha256_init(&sha);
    br_sha256_update(&sha, identity, 32);
    br_sha256_update(&sha, digest, 32);
    br_sha256_out(&sha, identity);
}

/* The identity, computed from what the client knows: what is called, and how; then each section. */
static void describe(uint8_t identity[32])
{
    const uint32_t head[] = {1, (uint32_t)suite_width(&process), pal.flags, pal.param_count};
    br_sha256_context sha;
    uint8_t digest[32];

    br_sha256_init(&sha);
    br_sha256_update(&sha, head, sizeof(head));
    br_sha256_update(&sha, &pal.entry, sizeof(pal.entry));
    br_sha256_update(&sha, pal.param, pal.param_count * sizeof(pal.param[0]));
    br_sha256_out(&sha, digest);
    extend_digest(identity, digest);
}

static void extend(uint8_t identity[32], const struct tv_pal_section *section)
{
    br_sha256_context sha;
    uint8_t digest[32], page[PAGE_BYTES];
    uint64_t bytes = section->page_num * PAGE_BYTES;

    br_sha256_init(&sha);
    br_sha256_update(&sha, &section->type, 4);
    if (section->type != TV_SECTION_PARAM && section->type != TV_SECTION_STACK) {
        br_sha256_update(&sha, &section->start_addr, 8);
    }
    br_sha256_update(&sha, &bytes, 8);
    for (uint64_t done = 0; done < bytes; done += PAGE_BYTES) {
        suite_get(&process, section->start_addr + done, page, PAGE_BYTES);
        br_sha256_update(&sha, page, PAGE_BYTES);
    }
    br_sha256_out(&sha, digest);
    extend_digest(identity, digest);
}

static void test_measurement(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        uint8_t identity[32] = {0};
        suite_process_make(&process, (enum suite_mode)mode);
        suite_run(0, &process);
        suite_pal_plan(&pal, &process, BASE, true);
        pal.section[4] = (struct tv_pal_section){TV_SECTION_SHARED_CODE, 3, BASE + 0x10000};
        pal.section_count = 5;
        suite_pal_map(&pal);
        describe(identity);
        for (unsigned i = 0; i < pal.section_count; i++) {
            extend(identity, &pal.section[i]);
        }
        assert_int_equal(suite_register(0, &pal), TV_OK);
        assert_memory_equal(pal.answer.measurement, identity, 32);
        assert_int_equal(pal.answer.faulty, 0);
    }
}

static uint64_t flags_at; /* page-table entry of the answer's first page */
static uint32_t secret = 0x5ec2e75;

static void clear_flags(void *arg)
{
    (void)arg;
    *(uint32_t *)suite_entry(&process, SUITE_ARGS, 1) &= ~0x60U;
}

/* CPU 1 guesses the number, lets the PAL run, and takes away where the rest of the answer goes. */
static void run_early(void *arg, const struct fake_write *write)
{
    (void)arg;
    if (write->address != flags_at || suite_find(&pal) == NULL) {
        return;
    }
    fake_on_write(NULL, NULL);
    uint64_t none = 0;
    struct suite_pal guessed = pal;
    guessed.answer.id = suite_find(&pal)->id;
    suite_run(1, &process);
    if (suite_call(1, &guessed, &none) == SUITE_ENTERED) {
        assert_true(suite_pal(1, BASE + SUITE_DATA_AT, SUITE_STORE, &secret, 4));
        suite_pal_return(1, 0);
    }
    uint64_t next = SUITE_ARGS + PAGE_BYTES;
    suite_map(&process, next, suite_gpa(&process, next), SUITE_WRITE);
    fake_select_cpu(0);
}

/* REQ-PAL-7: a registration that fails when its answer is written gives nothing away. */
static void test_pal_runs_before_its_number_is_told(void **state)
{
    (void)state;
    begin(SUITE_64, true);
    struct suite_state before = suite_state(&pal);
    uint64_t at = SUITE_ARGS + PAGE_BYTES - 48; /* the measurement is in the next page */
    struct tv_pal_register asked = {.version = TV_PAL_VERSION,
                                    .entry = pal.entry,
                                    .section_count = pal.section_count,
                                    .sections = SUITE_BUFFER};
    suite_put(&process, SUITE_BUFFER, pal.section, sizeof pal.section);
    suite_put(&process, at, &asked, sizeof asked);
    flags_at = (uint64_t)(uintptr_t)suite_entry(&process, SUITE_ARGS, 1);
    for (uint64_t frame = SUITE_FRAMES; frame < suite.next_frame; frame += PAGE_BYTES) {
        uint64_t offset = flags_at - (uint64_t)(uintptr_t)fake_ram(frame, PAGE_BYTES);
        if (offset < PAGE_BYTES) {
            flags_at = frame + offset;
            break;
        }
    }
    suite_interfere(2, clear_flags, NULL); /* while it is measured */
    fake_on_write(run_early, NULL);
    assert_int_equal(suite_hypercall(0, TV_PAL_REGISTER, at, 0, 0, 0), TV_ERROR_ADDRESS);
    fake_on_write(NULL, NULL);
    assert_int_equal(suite.guest[1].skipped, 1); /* it did try */
    assert_null(suite_find(&pal));
    uint32_t found;
    suite_get(&process, BASE + SUITE_DATA_AT, &found, 4);
    assert_int_not_equal(found, secret);
    suite_same(&before, &pal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wrong_arguments, setup),
        cmocka_unit_test_setup(test_version_and_flags, setup),
        cmocka_unit_test_setup(test_arguments_in_bad_memory, setup),
        cmocka_unit_test_setup(test_arguments_nowhere, setup),
        cmocka_unit_test_setup(test_other_processes, setup),
        cmocka_unit_test_setup(test_measurement, setup),
        cmocka_unit_test_setup(test_pal_runs_before_its_number_is_told, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
