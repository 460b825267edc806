/* Threads and signals: what sys.h declares of them. */
#include "sys.h"

#include "numbers.h"
#include "say.h"

#define STACK_PAGES 4U
#define FUTEX_WAIT 0

static void thread_main(void *argument)
{
    const struct thread *thread = argument;

    sys_pin(thread->cpu);
    thread->function(thread->argument);
}

void thread_start(struct thread *thread)
{
    thread->stack = sys_pages(STACK_PAGES);
    long result = sys_clone(THREAD_FLAGS, (uint8_t *)thread->stack + STACK_PAGES * PAGE,
                            &thread->tid, thread_main, thread);
    check(result > 0, "clone", (uintptr_t)result);
}

void thread_join(struct thread *thread)
{
    for (;;) {
        int tid = __atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE);
        if (tid == 0) {
            break;
        }
        (void)sys_call(NR_FUTEX, (long)&thread->tid, FUTEX_WAIT, tid, 0, 0, 0);
    }
    sys_unmap(thread->stack, STACK_PAGES);
}

static struct context guard;
static bool is_guarded;
static void (*handle_unexpected)(int signal, uintptr_t address);

static void handler(int signal, void *info, void *user)
{
    (void)user;
    if (is_guarded) {
        is_guarded = false;
        context_restore(&guard, (uintptr_t)signal);
    }
    /* siginfo: three ints, on amd64 four bytes of padding, then the address. */
    handle_unexpected(signal, ((const uintptr_t *)info)[sizeof(uintptr_t) == 8 ? 2 : 3]);
}

void signals_catch(void (*unexpected)(int signal, uintptr_t address))
{
    static const int caught[] = {SIGILL, SIGBUS, SIGFPE, SIGSEGV};
    const struct kernel_stack stack = {sys_pages(STACK_PAGES), 0, STACK_PAGES * PAGE};
    const struct kernel_sigaction action = {
        handler, SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_NODEFER, sys_signal_return, {0, 0}};

    handle_unexpected = unexpected;
    (void)sys_call(NR_SIGALTSTACK, (long)&stack, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        long result = sys_call(NR_SIGACTION, caught[i], (long)&action, 0, 8, 0, 0);
        check(result == 0, "sigaction", (uintptr_t)result);
    }
}

int signal_of(void (*function)(void *), void *argument)
{
    uintptr_t signal = context_save(&guard);

    if (signal == 0) {
        is_guarded = true;
        function(argument);
        is_guarded = false;
    }
    return (int)signal;
}
