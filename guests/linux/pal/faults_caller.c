/* What callers must not do: touch a PAL's memory (REQ-PAL-5), or pass memory that is none. */
#include "faults.h"

#include "client.h"

#define SECRET ((uintptr_t)0x7e11)

static void read_at(void *address)
{
    (void)*(volatile uint8_t *)address;
}

static void write_at(void *address)
{
    *(volatile uint8_t *)address = 0x90;
}

static void execute_at(void *address)
{
    ((void (*)(void))(uintptr_t)address)();
}

/* write(2) and read(2) make the kernel touch the PAL's memory for us. */
static void check_system_calls(void *start)
{
    static uint8_t byte = 7;
    int ends[2];

    sys_pipe(ends);
    check_equal((uint64_t)sys_write(ends[1], start, 16), (uint64_t)-EFAULT, "write-from-pal");
    check_equal((uint64_t)sys_write(ends[1], &byte, 1), 1, "write-after");
    check_equal((uint64_t)sys_read(ends[0], start, 1), (uint64_t)-EFAULT, "read-to-pal");
    sys_close(ends[0]);
    sys_close(ends[1]);
}

static void check_memory(void)
{
    static void (*const accesses[])(void *) = {read_at, write_at, execute_at};
    struct pal pal;

    pal_make(&pal, pal_secret, 1);
    pal_add_integers(&pal, 2);
    pal.data->secret = SECRET;
    pal_must_reg(&pal);
    uint8_t *starts[] = {(uint8_t *)pal.data,
                         (uint8_t *)&pal.data->secret,
                         pal.code,
                         (uint8_t *)pal.entry + 1,
                         pal.code + PAGE - 16,
                         pal.param,
                         pal.stack,
                         pal.stack + PAGE - 8};
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        for (unsigned access = 0; access < 3; access++) {
            check_round(i * 10 + access);
            check_equal((unsigned)signal_of(accesses[access], starts[i]), SIGSEGV, "access");
        }
        check_system_calls(starts[i]);
        check_equal(pal_value2(&pal, 0, 0), SECRET, "secret-after-access");
    }
    check_equal((unsigned)signal_of(read_at, (void *)pal.entry), SIGSEGV, "read-entry");
    check_equal((unsigned)signal_of(write_at, (void *)pal.entry), SIGSEGV, "write-entry");
    check_round(0);
    pal_end(&pal);
}

static struct pal_frame stack_frame;

static void call_on_stack(void *stack)
{
    pal_stack_call(&stack_frame, (uintptr_t)stack);
}

/* The return address, or only the parameters above it, cannot be read. */
static void check_caller_stack(void)
{
    uint8_t *pages = sys_pages(2);
    struct pal pal;

    sys_unmap(pages + PAGE, 1);
    pal_make(&pal, pal_weighted, 1);
    pal_add_integers(&pal, 10);
    pal_must_reg(&pal);
    stack_frame.entry = pal.entry;
    check_equal((unsigned)signal_of(call_on_stack, pages + PAGE), SIGSEGV, "no-stack");
    check_equal((unsigned)signal_of(call_on_stack, (void *)8), SIGSEGV, "stack-8");
    uintptr_t *top = (uintptr_t *)(pages + PAGE) - 1;
    *top = (uintptr_t)pal_stack_return;
    check_equal((unsigned)signal_of(call_on_stack, top), 0, "short-stack");
    check((stack_frame.flags & 1) != 0, "short-stack-carry", stack_frame.result);
    check_error((enum tv_error)stack_frame.result, TV_ERROR_ADDRESS, "short-stack-error");
    const uintptr_t ones[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    check_equal(pal_value(&pal, 10, ones), 55, "good-after-bad-stack");
    pal_end(&pal);
    sys_unmap(pages, 1);
}

void faults_of_caller(void)
{
    check_memory();
    check_caller_stack();
}

/* Pointers whose memory cannot be read, or cannot take what comes back. */
void faults_of_arguments(void)
{
    uintptr_t words[PAL_DOUBLE_WORDS] = {1, 2, 3, 4};
    uint8_t *pages = sys_pages(3); /* good, gone, read-only */
    struct pal pal;

    sys_unmap(pages + PAGE, 1);
    sys_protect(pages + 2 * PAGE, 1, PROT_READ);
    pal_make(&pal, pal_double, 1);
    pal_add_integers(&pal, 1);
    pal_add_pointer(&pal, PAL_DOUBLE_WORDS);
    pal_must_reg(&pal);
    const uintptr_t bad[] = {
        0,
        8,
        (uintptr_t)-1,
        (uintptr_t)-4096,
        (uintptr_t)pages + PAGE,
        (uintptr_t)pages + PAGE - 1,
        (uintptr_t)pages + 2 * PAGE - 1,
        (uintptr_t)pages + 2 * PAGE,
        ~(uintptr_t)0 << (sizeof(uintptr_t) * 8 - 1),
        (uintptr_t)pal.data,
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_round(i);
        check_error(pal_failure2(&pal, 1, bad[i]), TV_ERROR_ADDRESS, "pointer");
    }
    check_round(0);
    check_equal(pal_value2(&pal, 1, (uintptr_t)words), 11, "good-after-bad-pointer");
    check_equal(words[3], 8, "good-after-bad-words");
    pal_end(&pal);
    sys_unmap(pages, 1);
    sys_unmap(pages + 2 * PAGE, 1);
}
