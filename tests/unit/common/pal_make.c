/* Building, registering and calling PALs, as a client does it. */
#include "pal_suite.h"

#include <stddef.h>

/* Arrays end where the next page is not mapped. */
#define ARGS_END (SUITE_ARGS + SUITE_RANGE_PAGES * PAGE_BYTES)
#define PARAMS_END (SUITE_BUFFER + SUITE_RANGE_PAGES * PAGE_BYTES)
#define REGISTER_AT (SUITE_ARGS + 0x100)
#define CALL_AT (SUITE_ARGS + 0x200)
#define ARGUMENTS_AT (SUITE_ARGS + 0x300)
#define STACK_AT (SUITE_STACK + 3 * PAGE_BYTES)
#define RFLAGS_CF 1U
#define RFLAGS_RF (1U << 16)

static struct vcpu before[SUITE_CPUS]; /* each guest as it called */

void suite_pal_plan(struct suite_pal *pal, const struct suite_process *process, uint64_t base,
                    bool by_number)
{
    *pal = (struct suite_pal){
        .process = process,
        .by_number = by_number,
        .entry = base + 0x10,
        .section_count = 4,
        .section = {{TV_SECTION_CODE, SUITE_CODE_PAGES, base},
                    {TV_SECTION_DATA, 1, base + SUITE_DATA_AT},
                    {TV_SECTION_PARAM, 1, base + SUITE_PARAM_AT},
                    {TV_SECTION_STACK, 2, base + SUITE_STACK_AT}},
    };
}

static unsigned rights_of(uint32_t type)
{
    return type == TV_SECTION_CODE || type == TV_SECTION_SHARED_CODE ? SUITE_RX : SUITE_RW;
}

/* Frames in descending order, so that consecutive pages are not consecutive memory. */
void suite_pal_map(const struct suite_pal *pal)
{
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct tv_pal_section *section = &pal->section[i];
        uint64_t frames = suite_frames(section->page_num);
        for (uint64_t page = 0; page < section->page_num; page++) {
            uint64_t frame = frames + (section->page_num - 1 - page) * PAGE_BYTES;
            uint64_t *words = fake_ram(frame, PAGE_BYTES);
            for (unsigned word = 0; word < PAGE_BYTES / 8; word++) {
                words[word] = suite_random(~0ULL) | 1;
            }
            suite_map(pal->process, section->start_addr + page * PAGE_BYTES, frame,
                      rights_of(section->type));
        }
    }
}

void suite_pal_make(struct suite_pal *pal, const struct suite_process *process, uint64_t base,
                    bool by_number)
{
    suite_pal_plan(pal, process, base, by_number);
    suite_pal_map(pal);
}

/* A pointer as the caller passes it. */
static uint64_t offset_of(const struct vcpu *vcpu, enum vcpu_seg segment, uint64_t linear)
{
    return vcpu->width == VCPU_64BIT ? linear : (uint32_t)(linear - vcpu->base[segment]);
}

static void set_gprs(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < 16; i++) {
        vcpu->gpr[i] = suite_random(~0ULL);
    }
    vcpu->rflags = 2 | suite_random(2) | RFLAGS_RF;
}

/* In 32-bit code the upper half of a register is anything. */
static void set_gpr(struct vcpu *vcpu, enum vcpu_gpr gpr, uint64_t value)
{
    vcpu->gpr[gpr] =
        vcpu->width == VCPU_64BIT ? value : (uint32_t)value | suite_random(~0ULL) << 32;
}

static void check_same(const struct vcpu *now, const struct vcpu *old)
{
    SUITE_CHECK(now->loaded && memcmp(now->gpr + 1, old->gpr + 1, sizeof(now->gpr) - 8) == 0);
    SUITE_CHECK(now->injected.count == old->injected.count && now->width == old->width);
    SUITE_CHECK(memcmp(&now->paging, &old->paging, sizeof(now->paging)) == 0);
}

uint64_t suite_hypercall(unsigned cpu, uint32_t number, uint64_t cx, uint64_t dx, uint64_t si,
                         uint64_t di)
{
    struct vcpu *vcpu = &suite.guest[cpu];

    fake_select_cpu(cpu);
    set_gprs(vcpu);
    vcpu->gpr[VCPU_RAX] = number | suite_random(~0ULL) << 32;
    set_gpr(vcpu, VCPU_RCX, cx);
    set_gpr(vcpu, VCPU_RDX, dx);
    set_gpr(vcpu, VCPU_RSI, si);
    set_gpr(vcpu, VCPU_RDI, di);
    before[cpu] = *vcpu;
    tv_hypercall(&suite.tv, vcpu);
    SUITE_CHECK(!suite.stopped && vcpu->skipped == before[cpu].skipped + 1);
    if (suite.isolated[cpu].loaded) {
        return TV_OK;
    }
    check_same(vcpu, &before[cpu]);
    SUITE_CHECK(vcpu->rip == before[cpu].rip && vcpu->rflags == before[cpu].rflags);
    SUITE_CHECK(vcpu->gpr[VCPU_RAX] < TV_ERROR_COUNT);
    return vcpu->gpr[VCPU_RAX];
}

static uint64_t put_sections(const struct suite_pal *pal)
{
    uint64_t bytes = pal->section_count * sizeof(pal->section[0]);
    suite_put(pal->process, ARGS_END - bytes, pal->section, bytes);
    return ARGS_END - bytes;
}

/* In words of the caller's. */
static enum tv_error register_old(unsigned cpu, const struct suite_pal *pal)
{
    const struct vcpu *vcpu = &suite.guest[cpu];
    struct tv_pal_param params[TV_PARAMS_MAX + 2];
    uint64_t params_bytes = pal->param_count * sizeof(params[0]);
    uint64_t params_at = PARAMS_END - params_bytes - 8,
             params_count = pal->param_count | 0xaaULL << 32;
    uint64_t sections = put_sections(pal) - 8, count = pal->section_count | 0xbbULL << 32;

    suite_put(pal->process, sections, &count, 8);
    for (unsigned i = 0; i < pal->param_count; i++) {
        params[i] = (struct tv_pal_param){.type = pal->param[i].type,
                                          .size = pal->param[i].size / vcpu->width};
    }
    suite_put(pal->process, params_at, &params_count, 8);
    suite_put(pal->process, params_at + 8, params, params_bytes);
    return (enum tv_error)suite_hypercall(cpu, TV_REG, offset_of(vcpu, VCPU_DS, sections), 0,
                                          offset_of(vcpu, VCPU_DS, params_at),
                                          offset_of(vcpu, VCPU_CS, pal->entry));
}

static enum tv_error register_new(unsigned cpu, struct suite_pal *pal)
{
    uint64_t bytes = pal->param_count * sizeof(pal->param[0]);
    struct tv_pal_register asked = {.version = TV_PAL_VERSION,
                                    .flags = pal->flags,
                                    .entry = pal->entry,
                                    .section_count = pal->section_count,
                                    .parameter_count = pal->param_count,
                                    .sections = put_sections(pal),
                                    .parameters = PARAMS_END - bytes,
                                    .id = 0x12345678,
                                    .faulty = 0x87654321};
    suite_put(pal->process, PARAMS_END - bytes, pal->param, bytes);
    suite_put(pal->process, REGISTER_AT, &asked, sizeof(asked));
    enum tv_error error = (enum tv_error)suite_hypercall(
        cpu, TV_PAL_REGISTER, offset_of(&suite.guest[cpu], VCPU_DS, REGISTER_AT), 0, 0, 0);
    suite_get(pal->process, REGISTER_AT, &pal->answer, sizeof(pal->answer));
    SUITE_CHECK(memcmp(&pal->answer, &asked, offsetof(struct tv_pal_register, id)) == 0);
    SUITE_CHECK(error == TV_ERROR_ADDRESS ||
                (pal->answer.id == TV_CPUID_NO_PAL) == (error != TV_OK));
    return error;
}

enum tv_error suite_register(unsigned cpu, struct suite_pal *pal)
{
    SUITE_CHECK(suite.guest[cpu].width == suite_width(pal->process));
    return pal->by_number ? register_new(cpu, pal) : register_old(cpu, pal);
}

enum tv_error suite_unregister(unsigned cpu, const struct suite_pal *pal)
{
    return (enum tv_error)(pal->by_number
                               ? suite_hypercall(cpu, TV_PAL_UNREGISTER, pal->answer.id, 0, 0, 0)
                               : suite_hypercall(cpu, TV_UNREG,
                                                 offset_of(&suite.guest[cpu], VCPU_CS, pal->entry),
                                                 0, 0, 0));
}

static enum suite_outcome call_by_number(unsigned cpu, const struct suite_pal *pal,
                                         const uint64_t *value)
{
    struct tv_pal_call call = {.id = pal->answer.id,
                               .argument_count = pal->param_count,
                               .arguments = ARGUMENTS_AT,
                               .result = 0x1111,
                               .error = 0x2222,
                               .vector = 0x3333};
    suite_put(pal->process, ARGUMENTS_AT, value, pal->param_count * sizeof(*value));
    suite_put(pal->process, CALL_AT, &call, sizeof(call));
    (void)suite_hypercall(cpu, TV_PAL_CALL, offset_of(&suite.guest[cpu], VCPU_DS, CALL_AT), 0, 0,
                          0);
    return suite.isolated[cpu].loaded ? SUITE_ENTERED : SUITE_RETURNED;
}

enum suite_outcome suite_call(unsigned cpu, const struct suite_pal *pal, const uint64_t *value)
{
    static const enum vcpu_gpr registers[] = {VCPU_RDI, VCPU_RSI, VCPU_RDX,
                                              VCPU_RCX, VCPU_R8,  VCPU_R9};
    struct vcpu *vcpu = &suite.guest[cpu];
    unsigned word = vcpu->width;
    uint64_t at = STACK_AT, to = SUITE_RETURN_TO;

    if (pal->by_number) {
        return call_by_number(cpu, pal, value);
    }
    set_gprs(vcpu);
    suite_put(pal->process, at, &to, word);
    for (unsigned i = 0; i < pal->param_count; i++) {
        if (vcpu->width == VCPU_64BIT && i < 6) {
            vcpu->gpr[registers[i]] = value[i];
        } else {
            at += word;
            suite_put(pal->process, at, &value[i], word);
        }
    }
    set_gpr(vcpu, VCPU_RSP, offset_of(vcpu, VCPU_SS, STACK_AT));
    vcpu->rip = offset_of(vcpu, VCPU_CS, pal->entry);
    before[cpu] = *vcpu;
    return suite_guest(cpu, pal->entry, SUITE_FETCH);
}

enum tv_error suite_result(unsigned cpu, const struct suite_pal *pal, uint64_t *value)
{
    const struct vcpu *vcpu = &suite.guest[cpu];
    struct vcpu old = before[cpu];
    struct tv_pal_call call;

    SUITE_CHECK(vcpu->loaded && !suite.isolated[cpu].active);
    if (pal->by_number) {
        suite_get(pal->process, CALL_AT, &call, sizeof(call));
        check_same(vcpu, &old);
        SUITE_CHECK(vcpu->rflags == old.rflags && vcpu->gpr[VCPU_RAX] < TV_ERROR_COUNT);
        SUITE_CHECK(call.error == vcpu->gpr[VCPU_RAX] || call.error == 0x2222);
        SUITE_CHECK(call.error == 0x2222 || call.error == TV_OK || call.result == 0);
        *value = call.error == TV_ERROR_PAL_FAULT ? call.vector : call.result;
        return (enum tv_error)vcpu->gpr[VCPU_RAX];
    }
    uint64_t rsp = vcpu->gpr[VCPU_RSP];
    SUITE_CHECK(rsp == (vcpu->width == VCPU_64BIT
                            ? STACK_AT + 8
                            : (uint32_t)(STACK_AT - vcpu->base[VCPU_SS] + 4)));
    old.gpr[VCPU_RSP] = rsp;
    check_same(vcpu, &old);
    SUITE_CHECK(vcpu->rip == SUITE_RETURN_TO && vcpu->skipped == old.skipped);
    SUITE_CHECK((vcpu->rflags & ~(uint64_t)RFLAGS_CF) ==
                (old.rflags & ~(uint64_t)(RFLAGS_CF | RFLAGS_RF)));
    *value = vcpu->gpr[VCPU_RAX];
    if ((vcpu->rflags & RFLAGS_CF) == 0) {
        return TV_OK;
    }
    SUITE_CHECK(*value > TV_OK && *value < TV_ERROR_COUNT);
    return (enum tv_error) * value;
}

const struct tv_pal *suite_find(const struct suite_pal *pal)
{
    struct tv_pal_key key = {pal->entry, pal->process->cr3, suite_width(pal->process)};
    return tv_registry_find(&suite.tv.registry, &key);
}
