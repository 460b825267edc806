/* What the processor reads by itself, put in a PAL's pages (REQ-PAL-5). */
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define SECRET_VALUE(user) (user_physical(user, PAGE_BUFFER) | PTE_NORMAL) /* also a PTE */

void user_on_stack(uint64_t rsp, const void *code);

static struct user user;
static uint64_t kernel_cr3;

static bool set_up(void)
{
    user_new(&user, 0);
    return pal_register(&user, 0) == TV_OK &&
           user_call(&user, 0, OP_SECRET, SECRET_VALUE(&user)) == 0;
}

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    REQUIRE(set_up(), "set-up")

static void enter_user_tables(void)
{
    kernel_cr3 = read_cr3();
    write_cr3((uint64_t)user.root);
}

static void leave_user_tables(void)
{
    write_cr3(kernel_cr3);
}

static void gone(const char *what)
{
    const volatile uint64_t *data = user_at(&user, PAL_DATA(0));
    REQUIRE(data[0] == 0 && data[1] == 0, "%s: the data is not wiped", what);
    uint64_t error = pal_unregister(&user, 0);
    REQUIRE(error == TV_ERROR_NO_SUCH_PAL, "UNREG after %s: %llx", what, (unsigned long long)error);
}

/* The PAL's data as a page table, of user code and of the kernel: empty when it is walked. */
static void page_table(void)
{
    for (enum user_kind kind = RING0; kind <= USER64; kind++) {
        SET_UP;
        user.directory[1] = user_physical(&user, PAL_DATA(0)) | PTE_NORMAL;
        uint64_t got = user_load(&user, kind, USER + 0x200000);
        REQUIRE(got == FAULTED + PF, "a table in a PAL: %llx", (unsigned long long)got);
        gone("a page walk");
    }
}

/* A large page that a PAL's pages are in, and a directory in its code, which is not wiped. */
static void large_page(void)
{
    SET_UP;
    uint64_t physical = user_physical(&user, PAL_DATA(0)), large = physical & ~0x1fffffULL;
    user.directory[1] = large | PTE_NORMAL | BIT(7);
    uint64_t got = user_load(&user, USER64, USER + 0x200000 + physical - large);
    REQUIRE(got == FAULTED + GP, "user through a large page: %llx", (unsigned long long)got);
    got = user_load(&user, RING0, USER + 0x200000 + physical - large);
    REQUIRE(got == 0, "kernel through a large page: %llx", (unsigned long long)got);
    gone("a large page");
}

static void interrupt_table(void)
{
    struct table_register odd = {sizeof(idt) - 1, 0};

    SET_UP;
    for (unsigned alias = 0; alias < 2; alias++) { /* vectors from 32 on are in the PAL */
        unsigned page = alias ? PAGE_FREE + 1 : PAL_PAGE(0);
        odd.base = user_linear(page) - 0x200;
        memcpy((uint8_t *)user_at(&user, page - 1) + PAGE - 0x200, idt, 0x200);
        user_set(&user, PAGE_FREE + 1, user_physical(&user, PAL_DATA(0)), PTE_NORMAL);
        enter_user_tables();
        lidt(&odd);
        int vector = try(int21, 0, 0);
        int invalid = try(rsm, 0, 0);
        lidt(&idt_register);
        leave_user_tables();
        REQUIRE(vector == GP && invalid == UD, "alias %u: INT n: exception %d, #UD: %d", alias,
                vector, invalid);
        REQUIRE(alias || pal_works(&user, 0, SECRET_VALUE(&user)), "the PAL after INT n");
    }
    gone("an IDT");
}

static void descriptor_table(void)
{
    struct table_register old, odd = {0xffff, 0};

    SET_UP;
    sgdt(&old);
    for (unsigned alias = 0; alias < 2; alias++) {
        unsigned page = alias ? PAGE_FREE + 1 : PAL_PAGE(0);
        odd.base = user_linear(page) - 0x100;
        memcpy((uint8_t *)user_at(&user, page - 1) + PAGE - 0x100, (const void *)old.base, 0x100);
        user_set(&user, PAGE_FREE + 1, user_physical(&user, PAL_DATA(0)), PTE_NORMAL);
        enter_user_tables();
        lgdt(&odd);
        int vector = try(load_fs, 0x200, 0);
        int ltr = try(ltr, 0x200, 0);
        lgdt(&old);
        leave_user_tables();
        REQUIRE(vector == GP && ltr == GP, "alias %u: segment: exception %d, LTR: %d", alias,
                vector, ltr);
        REQUIRE(alias || pal_works(&user, 0, SECRET_VALUE(&user)), "the PAL after a segment");
    }
    gone("a GDT");
}

/* The kernel's stack pointer in a PAL: through the owner's address #GP, which needs a stack of its
 * own; through another the kernel gets the page. */
static void kernel_stack(void)
{
    SET_UP;
    for (unsigned ist = 0; ist < 2; ist++) {
        trap_set_gate(&idt[GP], GP, ist == 0 ? 0 : IST_FAULT);
        enter_user_tables();
        int vector = try_at(user_on_stack, user_linear(PAL_STACK(0)) + 0x800, (uint64_t)insn_int3);
        leave_user_tables();
        trap_set_gate(&idt[GP], GP, 0);
        REQUIRE(vector == (ist == 0 ? DF : GP), "INT3 on the PAL's stack: exception %d", vector);
        REQUIRE(pal_works(&user, 0, SECRET_VALUE(&user)), "the PAL after a push");
    }
    int vector =
        try_at(user_on_stack, user_physical(&user, PAL_STACK(0)) + 0x800, (uint64_t)insn_int3);
    REQUIRE(vector == BP, "INT3 on a page that was the PAL's: exception %d", vector);
    gone("a push");
}

/* Ring 3 interrupts, and RSP0 leads into the PAL: an access by the processor at CPL 3. */
static void task_stack(void)
{
    struct tss *tss = &cpu_self()->tss;
    uint64_t old = tss->rsp[0];

    SET_UP;
    for (unsigned alias = 0; alias < 2; alias++) {
        trap_set_gate(&idt[GP], GP, IST_FAULT);
        tss->rsp[0] =
            (alias ? user_physical(&user, PAL_STACK(0)) : user_linear(PAL_STACK(0))) + 0x800;
        user_start(&user, USER64, STUB_RETURN);
        int vector = user_run(&user);
        tss->rsp[0] = old;
        trap_set_gate(&idt[GP], GP, 0);
        REQUIRE(vector == GP || (alias && vector == NO_FAULT), "alias %u: exception %d", alias,
                vector);
        const volatile uint64_t *data = user_at(&user, PAL_DATA(0));
        if (vector == GP) {
            REQUIRE(pal_works(&user, 0, SECRET_VALUE(&user)), "the PAL after RSP0");
        } else {
            REQUIRE(data[0] == 0, "data is not wiped");
        }
    }
    uint64_t error = pal_unregister(&user, 0);
    REQUIRE(error == TV_OK || error == TV_ERROR_NO_SUCH_PAL, "UNREG: %llx",
            (unsigned long long)error);
}

const struct probe pal_table_probes[] = {
    {"pal-page-table", page_table, ON_NACRE},
    {"pal-large-page", large_page, ON_NACRE},
    {"pal-idt", interrupt_table, ON_NACRE},
    {"pal-gdt", descriptor_table, ON_NACRE},
    {"pal-stack", kernel_stack, ON_NACRE},
    {"pal-rsp0", task_stack, ON_NACRE},
    {0},
};
