#include "pal.h"

#include "apic.h"
#include "lib.h"
#include "probe.h"

#define SPARE_FIRST 64U /* spare pages before it are other probes' */

void user_enter(struct try *try, const struct frame *frame);

extern const char user_stubs[], user_stubs_end[], pal_code64[], pal_code64_end[], pal_code32[],
    pal_code32_end[];

static uint64_t tables[USER_COUNT][4][512] __attribute__((aligned(4096)));

uint64_t user_linear(unsigned page)
{
    return USER + page * PAGE;
}

uint64_t user_physical(const struct user *user, unsigned page)
{
    return spare_page(SPARE_FIRST + user->number * USER_PAGES + page);
}

void *user_at(const struct user *user, unsigned page)
{
    return (void *)user_physical(user, page);
}

void user_set(const struct user *user, unsigned page, uint64_t physical, uint64_t flags)
{
    user->table[page] = physical | flags;
}

void user_reset(const struct user *user, unsigned page)
{
    user_set(user, page, user_physical(user, page), page == PAGE_ABSENT ? 0 : PTE_NORMAL);
}

void user_new(struct user *user, unsigned number)
{
    uint64_t(*own)[512] = tables[number];
    const uint64_t *kernel = (const uint64_t *)(void *)pml4;

    *user = (struct user){
        .root = own[0], .pointers = own[1], .directory = own[2], .table = own[3], .number = number};
    memcpy(user->root, kernel, PAGE);
    memcpy(user->pointers, (const void *)(kernel[0] & ~(PAGE - 1)), PAGE);
    memset(user->directory, 0, PAGE);
    user->root[0] = (uint64_t)user->pointers | PTE_NORMAL;
    user->pointers[USER >> 30] = (uint64_t)user->directory | PTE_NORMAL;
    user->directory[0] = (uint64_t)user->table | PTE_NORMAL;
    for (unsigned page = 0; page < USER_PAGES; page++) {
        user_reset(user, page);
    }
    memcpy(user_at(user, PAGE_STUBS), user_stubs, (size_t)(user_stubs_end - user_stubs));
}

void user_start(struct user *user, enum user_kind kind, unsigned stub)
{
    static const uint16_t code[] = {SEL_CODE64, SEL_USER_CODE64, SEL_USER_CODE32, SEL_USER_CODE16};

    user->frame = (struct frame){
        .rip = kind == USER16 ? stub : USER + stub,
        .cs = code[kind],
        .rflags = 2,
        .rsp = user_linear(PAGE_STACK + 1) - 256 - 256ULL * cpu_number(),
        .ss = kind == RING0 ? SEL_DATA : SEL_USER_DATA,
    };
}

int user_run(struct user *user)
{
    struct try *try = &cpu_self()->try;
    uint64_t cr3 = read_cr3();

    try->vector = NO_FAULT;
    try->seen = &user->frame;
    write_cr3((uint64_t)user->root);
    user_enter(try, &user->frame);
    write_cr3(cr3);
    try->seen = NULL;
    return try->vector == VECTOR_USER_RETURN ? NO_FAULT : try->vector;
}

static uint64_t run(struct user *user)
{
    int vector = user_run(user);
    return vector == NO_FAULT ? user->frame.rax : FAULTED + (unsigned)vector;
}

uint64_t user_vmcall(struct user *user, enum user_kind kind, uint32_t number,
                     const uint64_t args[4])
{
    user_start(user, kind, STUB_VMCALL);
    user->frame.rax = number;
    user->frame.rcx = args[0];
    user->frame.rdx = args[1];
    user->frame.rsi = args[2];
    user->frame.rdi = args[3];
    return run(user);
}

uint64_t user_load(struct user *user, enum user_kind kind, uint64_t linear)
{
    user_start(user, kind, STUB_LOAD);
    user->frame.rdi = linear;
    return run(user);
}

uint64_t user_store(struct user *user, enum user_kind kind, uint64_t linear, uint32_t value)
{
    user_start(user, kind, STUB_STORE);
    user->frame.rdi = linear;
    user->frame.rax = value;
    return run(user);
}

uint64_t user_jump(struct user *user, enum user_kind kind, uint64_t linear)
{
    user_start(user, kind, STUB_JUMP);
    user->frame.rbx = linear;
    return run(user);
}

uint64_t user_call_with(struct user *user, enum user_kind kind, uint64_t entry,
                        const uint64_t args[3])
{
    user_start(user, kind, STUB_CALL);
    user->frame.rbx = entry;
    if (kind == USER32) {
        uint8_t *stack = user_at(user, PAGE_STACK);
        uint32_t words[3] = {(uint32_t)args[0], (uint32_t)args[1], (uint32_t)args[2]};
        memcpy(stack + (user->frame.rsp - user_linear(PAGE_STACK)), words, sizeof(words));
    } else {
        user->frame.rdi = args[0];
        user->frame.rsi = args[1];
        user->frame.rdx = args[2];
    }
    int vector = user_run(user);
    if (vector != NO_FAULT) {
        return FAULTED + (unsigned)vector;
    }
    return (user->frame.rflags & 1) != 0 ? FAILED + user->frame.rax : user->frame.rax;
}

uint64_t user_call(struct user *user, unsigned slot, uint64_t operation, uint64_t value)
{
    const uint64_t args[3] = {operation, value, user_linear(PAGE_BUFFER)};
    return user_call_with(user, USER64, user_linear(PAL_PAGE(slot)), args);
}

#define ARGS_PARAMS 1024U /* in PAGE_ARGS, which holds what each CPU asks at 2048 and 0 */

void pal_ask_more(struct tv_pal_sections *sections, uint32_t type, uint64_t start, uint32_t pages)
{
    sections->sections[sections->num_sections++] =
        (struct tv_pal_section){.type = type, .page_num = pages, .start_addr = start};
}

struct tv_pal_sections *pal_ask(const struct user *user, enum user_kind kind, unsigned slot)
{
    static const uint32_t types[PAL_PAGES] = {TV_SECTION_CODE, TV_SECTION_DATA, TV_SECTION_PARAM,
                                              TV_SECTION_STACK};
    const struct tv_pal_params params = {
        .num_params = 3,
        .params = {{TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_POINTER, 0, 2}}};
    struct tv_pal_sections *sections = user_at(user, PAGE_ARGS);
    bool wide = kind != USER32;

    memcpy(user_at(user, PAL_PAGE(slot)), wide ? pal_code64 : pal_code32,
           (size_t)(wide ? pal_code64_end - pal_code64 : pal_code32_end - pal_code32));
    memcpy((uint8_t *)sections + ARGS_PARAMS, &params, sizeof(params));
    memset(sections, 0, sizeof(*sections));
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        pal_ask_more(sections, types[i], user_linear(PAL_PAGE(slot) + i), 1);
    }
    return sections;
}

uint64_t pal_ask_now(struct user *user, enum user_kind kind, unsigned slot)
{
    const uint64_t args[4] = {user_linear(PAGE_ARGS), 0, user_linear(PAGE_ARGS) + ARGS_PARAMS,
                              user_linear(PAL_PAGE(slot))};
    return user_vmcall(user, kind, TV_REG, args);
}

uint64_t pal_register(struct user *user, unsigned slot)
{
    memset(user_at(user, PAL_DATA(slot)), 0, PAGE);
    (void)pal_ask(user, USER64, slot);
    return pal_ask_now(user, USER64, slot);
}

uint64_t pal_unregister(struct user *user, unsigned slot)
{
    const uint64_t args[4] = {user_linear(PAL_PAGE(slot))};
    return user_vmcall(user, USER64, TV_UNREG, args);
}

bool pal_works(struct user *user, unsigned slot, uint64_t secret)
{
    return user_call(user, slot, OP_DOUBLE, 21) == 43 &&
           user_call(user, slot, OP_SECRET, secret) == secret &&
           user_call(user, slot, OP_LEAK, 0) == 0;
}

bool pal_ready(void)
{
    bool ready = cpuid(TV_CPUID_LEAF, 0).eax == TV_CPUID_PRESENT;
    if (!ready) {
        skip("no PALs here");
    }
    return ready;
}

bool pal_ready_for_long(void)
{
    bool ready = pal_ready();

    if (ready && cpu_count > 2) {
        skip("takes too long on many CPUs");
    }
    return ready && cpu_count <= 2;
}

unsigned pal_rounds(unsigned count)
{
    return cpu_count > 2 ? count * 2 / cpu_count : count;
}
