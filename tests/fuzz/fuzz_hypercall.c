/*
 * Hypercalls, calls of PALs and accesses to their memory, by processes whose registers, memory and
 * page tables are the input (REQ-PAL-3, REQ-PAL-5, REQ-PAL-10, REQ-EPT-5): every result is a
 * documented number, no page has two owners, nobody reaches the hypervisor, and when all PALs are
 * gone everything is as it was.
 *
 * sources: libtv/[a-z]*.c libept/[a-z]*.c tests/unit/common/pal_[a-z]*.c fake crypto
 * include: libtv/api
 * seeds: 00 00 00 03 00 00 00 01, 04 00 0a 00 0b 00 00 00 05, 08 00 00 01 18 0e 00 00 10,
 *   12 00 00 03 00 21 26
 */
#include "fuzz.h"

#include "pal_suite.h"

#define PALS 4U /* even ones of the old interface, odd ones of the new one */
#define BASE(k) (0x10000000ULL + (k)*0x100000ULL)
#define PAGES (SUITE_PAL_PAGES + 1) /* of each PAL: one of shared code */
#define PTES (4 + 4 + PALS * PAGES)
#define STEPS 40

static struct suite_process process[2];
static void *pte[PTES];      /* page-table entries that the input may change */
static uint64_t frame[PTES]; /* where they point at first */
static unsigned running;     /* process on CPU 0; on the others it is the second one */

void suite_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

/* One page of arguments for each PAL: both interfaces' structures, well-formed at first. */
#define SECTIONS_AT 0x000U
#define PARAMS_AT 0x200U
#define REGISTER_AT 0x400U
#define CALL_AT 0x500U
#define VALUES_AT 0x600U

static void write_arguments(unsigned k)
{
    struct suite_pal pal;
    uint64_t page = SUITE_ARGS + k * PAGE_BYTES;

    suite_pal_plan(&pal, &process[0], BASE(k), k % 2 != 0);
    pal.section[pal.section_count++] =
        (struct tv_pal_section){TV_SECTION_SHARED_CODE, 1, BASE(k) + SUITE_PAL_PAGES * PAGE_BYTES};
    suite_pal_map(&pal);
    uint64_t count = pal.section_count;
    suite_put(&process[0], page + SECTIONS_AT, &count, 8);
    suite_put(&process[0], page + SECTIONS_AT + 8, pal.section, count * sizeof(pal.section[0]));
    uint64_t params[5] = {2, TV_PARAM_INTEGER, 0, TV_PARAM_POINTER, 8};
    struct tv_pal_parameter parameters[2] = {{TV_PARAM_INTEGER, 0, 0},
                                             {TV_PARAM_POINTER, TV_IN_OUT, 64}};
    suite_put(&process[0], page + PARAMS_AT, params, sizeof(params));
    suite_put(&process[0], page + PARAMS_AT + 0x80, parameters, sizeof(parameters));
    struct tv_pal_register asked = {.version = TV_PAL_VERSION,
                                    .entry = pal.entry,
                                    .section_count = pal.section_count,
                                    .parameter_count = 2,
                                    .sections = page + SECTIONS_AT + 8,
                                    .parameters = page + PARAMS_AT + 0x80};
    suite_put(&process[0], page + REGISTER_AT, &asked, sizeof(asked));
    struct tv_pal_call call = {.id = k, .argument_count = 2, .arguments = page + VALUES_AT};
    suite_put(&process[0], page + CALL_AT, &call, sizeof(call));
    uint64_t values[2] = {7, SUITE_BUFFER + 8};
    suite_put(&process[0], page + VALUES_AT, values, sizeof(values));
}

static void begin(unsigned mode)
{
    unsigned n = 0;
    suite_start();
    suite_process_make(&process[0], (enum suite_mode)(mode % SUITE_MODES));
    for (unsigned k = 0; k < PALS; k++) {
        write_arguments(k);
    }
    suite_process_make(&process[1], (enum suite_mode)(mode / SUITE_MODES % SUITE_MODES));
    for (unsigned page = 0; page < 4; page++) {
        pte[n++] = suite_entry(&process[0], SUITE_ARGS + page * PAGE_BYTES, 1);
        pte[n++] = suite_entry(&process[0], SUITE_BUFFER + page * PAGE_BYTES, 1);
    }
    for (unsigned k = 0; k < PALS; k++) {
        for (unsigned page = 0; page < PAGES; page++) {
            pte[n++] = suite_entry(&process[0], BASE(k) + page * PAGE_BYTES, 1);
        }
    }
    for (n = 0; n < PTES; n++) {
        memcpy(&frame[n], pte[n], process[0].mode == SUITE_32 ? 4 : 8);
        frame[n] &= 0xfffffff000;
    }
    running = 0;
}

static uint64_t take_gpa(struct fuzz_input *input)
{
    const uint64_t special[] = {SUITE_DEVICE,
                                SUITE_UNCACHED,
                                suite.map.root.v,
                                fake_boot_info()->region.v,
                                process[0].cr3 & ~PAGE_MASK,
                                SUITE_FRAMES_1G,
                                0,
                                1ULL << 39};
    uint64_t pick = fuzz_take(input, 1);
    if (pick < PTES) {
        return frame[pick];
    }
    return pick < 0xf0 ? special[pick % 8] : fuzz_take(input, 5) << PAGE_SHIFT & 0xfffffff000;
}

/* An address that means something, or any. */
static uint64_t take_value(struct fuzz_input *input, unsigned k)
{
    const uint64_t known[] = {0,
                              BASE(k),
                              BASE(k) + 0x10,
                              SUITE_ARGS + k * PAGE_BYTES,
                              SUITE_ARGS + k * PAGE_BYTES + PARAMS_AT,
                              SUITE_BUFFER,
                              1,
                              4,
                              SUITE_ARGS + k * PAGE_BYTES + VALUES_AT,
                              ~0ULL,
                              1ULL << 47};
    uint64_t pick = fuzz_take(input, 1);
    return pick < 11 ? known[pick] : fuzz_take(input, (unsigned)pick & 7);
}

static uint64_t in_segment(unsigned cpu, enum vcpu_seg segment, uint64_t linear)
{
    const struct vcpu *vcpu = &suite.guest[cpu];
    return vcpu->width == VCPU_64BIT ? linear : linear - vcpu->base[segment];
}

/* As it should be made, unless the input says something else. */
static void hypercall(struct fuzz_input *input, unsigned cpu)
{
    static const uint32_t numbers[] = {TV_REG,   TV_UNREG,          TV_PAL_REGISTER, TV_PAL_CALL,
                                       TV_SHARE, TV_PAL_UNREGISTER, TV_TEST,         TV_SEAL};
    uint64_t what = fuzz_take(input, 1);
    unsigned k = what >> 3 & (PALS - 1);
    uint64_t page = SUITE_ARGS + k * PAGE_BYTES;
    uint32_t number = numbers[what & 7];
    uint64_t cx = in_segment(cpu, VCPU_DS, page + SECTIONS_AT), dx = 0, si, di;

    si = in_segment(cpu, VCPU_DS, page + PARAMS_AT);
    di = in_segment(cpu, VCPU_CS, BASE(k) + 0x10);
    if (number == TV_UNREG || number == TV_SHARE) {
        cx = di;
    } else if (number == TV_PAL_REGISTER) {
        cx = in_segment(cpu, VCPU_DS, page + REGISTER_AT);
    } else if (number == TV_PAL_CALL) {
        cx = in_segment(cpu, VCPU_DS, page + CALL_AT);
    } else if (number == TV_PAL_UNREGISTER) {
        cx = k + 1;
    }
    if (number == TV_SHARE) {
        dx = si = in_segment(cpu, VCPU_DS, page + VALUES_AT + 8);
        di = 1;
    }
    if (what & 0x80) {
        number = (what & 0x40) != 0 ? (uint32_t)fuzz_take(input, 2) : number;
        cx = take_value(input, k);
        dx = take_value(input, k);
        si = take_value(input, k);
        di = take_value(input, k);
    }
    FUZZ_CHECK(suite_hypercall(cpu, number, cx, dx, si, di) < TV_ERROR_COUNT);
}

/* The guest's memory or page tables; nothing that a PAL has. */
static void change(struct fuzz_input *input, bool tables)
{
    uint64_t n = fuzz_take(input, 1) % PTES;
    if (tables) {
        uint64_t entry = take_gpa(input), flags = fuzz_take(input, 1);
        entry |= flags == 0 ? 0x67 : flags;
        memcpy(pte[n], &entry, process[0].mode == SUITE_32 ? 4 : 8);
        return;
    }
    uint64_t offset = fuzz_take(input, 2) & 0xfff, value = fuzz_take(input, 4);
    struct fake_walk walk = fake_ept_walk(ept_pointer(&suite.map), frame[n]);
    if (walk.result == FAKE_WALK_OK && offset <= PAGE_BYTES - 4) {
        memcpy(fake_ram(walk.hpa + offset, 4), &value, 4);
    }
}

static void run_pal(struct fuzz_input *input, unsigned cpu)
{
    uint64_t what = fuzz_take(input, 1), value;
    bool is_64 = suite.isolated[cpu].width == VCPU_64BIT;
    switch (what & 7) {
    case 0:
    case 1:
        suite.isolated[cpu].gpr[VCPU_RAX] = what;
        suite_pal_stop(cpu, VCPU_STOP_EXCEPTION, 14, is_64 ? ~0ULL << 8 : 0xffffff00);
        return;
    case 2:
    case 3:
        suite.isolated[cpu].gpr[VCPU_RAX] = fuzz_take(input, 2);
        suite_pal_stop(cpu, VCPU_STOP_CALL, 0, 0);
        return;
    case 4:
        suite_pal_stop(cpu, (enum vcpu_stop_reason)(what >> 3 & 7), 13, 0);
        return;
    case 5:
        suite_pal_stop(cpu, VCPU_STOP_KICK, 0, 0);
        return;
    default:
        value = fuzz_take(input, 8);
        (void)suite_pal(cpu, BASE(what >> 3 & 3) + fuzz_take(input, 2) % 0x7000, SUITE_STORE,
                        &value, 8);
    }
}

static void run_guest(struct fuzz_input *input, unsigned cpu)
{
    struct vcpu *vcpu = &suite.guest[cpu];
    uint64_t what = fuzz_take(input, 1), linear = BASE(what & 3) + 0x10;

    if (what & 4) {
        linear = BASE(what & 3) + fuzz_take(input, 2);
    }
    vcpu->rip = in_segment(cpu, VCPU_CS, linear);
    vcpu->gpr[VCPU_RSP] = (what & 8) != 0 ? take_value(input, 0) : SUITE_STACK + 0x800;
    vcpu->gpr[VCPU_RSI] = vcpu->gpr[VCPU_RDI] = SUITE_BUFFER;
    vcpu->paging.cpl = (what & 0x30) == 0x30 ? 0 : 3;
    if ((what & 0x40) == 0) {
        (void)suite_guest(cpu, linear,
                          (what & 4) == 0 ? SUITE_FETCH
                                          : (enum suite_access)(fuzz_take(input, 1) % 3));
    } else {
        uint64_t flags = fuzz_take(input, 1);
        struct tv_access access = {.gpa = gpa(take_gpa(input)),
                                   .linear = linear,
                                   .has_linear = flags & 1,
                                   .is_table = flags >> 1 & 1,
                                   .write = flags >> 2 & 1,
                                   .execute = (flags & 12) == 8};
        fake_select_cpu(cpu);
        (void)tv_violation(&suite.tv, vcpu, &access);
    }
    vcpu->paging.cpl = 3;
}

static void step(struct fuzz_input *input)
{
    uint64_t what = fuzz_take(input, 1);
    unsigned cpu = what >> 5 & 1;

    fake_select_cpu(cpu);
    if (what & 16) {
        suite_keep_free(fuzz_take(input, 1) % 32);
    }
    if (suite.isolated[cpu].loaded) {
        run_pal(input, cpu);
    } else if ((what & 7) == 0) {
        hypercall(input, cpu);
    } else if ((what & 7) < 3) {
        change(input, (what & 7) == 1);
    } else if ((what & 7) == 7) {
        suite_run(cpu, &process[what >> 6 & 1]);
    } else if ((what & 7) == 6) {
        if (!suite.isolated[1 - cpu].loaded) { /* which would have to go on meanwhile */
            tv_wipe_all(&suite.tv, cpu);
        }
    } else {
        run_guest(input, cpu);
    }
    suite_give_all();
    suite_check();
}

/* The OS takes everything back. */
static void end(const struct suite_state *before)
{
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        if (suite.isolated[cpu].loaded) {
            suite_pal_stop(cpu, VCPU_STOP_TIMER, 0, 0);
        }
    }
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        struct ept_translation at;
        if (suite.tv.registry.used[slot]) {
            const struct tv_context *context = &suite.tv.context[slot];
            FUZZ_CHECK(ept_lookup(&context->space.ept, context->section_gpa[0], &at) == STATUS_OK);
            struct tv_access access = {.gpa = gpa(at.hpa.v), .write = true};
            fake_select_cpu(0);
            suite.guest[0].paging.cpl = 0;
            FUZZ_CHECK(tv_violation(&suite.tv, &suite.guest[0], &access));
            FUZZ_CHECK(!suite.tv.registry.used[slot]);
        }
    }
    suite_same(before, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    begin((unsigned)fuzz_take(&input, 1));
    struct suite_state before = suite_state(NULL);
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        suite_run(cpu, &process[0]);
    }
    for (unsigned i = 0; i < STEPS && input.left > 0; i++) {
        step(&input);
    }
    end(&before);
    return 0;
}
