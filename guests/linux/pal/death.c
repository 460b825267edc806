/*
 * Processes that die with a PAL, are copied, or are looked into by others (REQ-PAL-7, REQ-PAL-5).
 * Whether the kernel gets zeros or an error there is the hypervisor's choice; it never gets the
 * secret, and the machine goes on.
 */
#include "commands.h"

#include "client.h"

#define SECRET ((uintptr_t)0xdeadd00dfeedfaceULL)
#define SECONDS 20U

/* A child with a registered PAL that holds the secret, waiting to be killed. */
struct holder {
    int process;
    struct pal pal; /* its addresses are the child's */
    int ready[2];
};

static void hold_secret(struct holder *holder, struct pal *pal)
{
    pal_add_integers(pal, 2);
    pal_must_reg(pal);
    (void)pal_value2(pal, 1, SECRET);
    check_equal(pal_value2(pal, 0, 0), SECRET, "holder");
    (void)sys_write(holder->ready[1], pal, sizeof(*pal));
}

static _Noreturn void wait_for_death(void)
{
    for (;;) {
        sys_sleep_ms(1000);
    }
}

static void await_secret(struct holder *holder)
{
    sys_close(holder->ready[1]); /* a child that fails would else leave us waiting */
    check_equal((uint64_t)sys_read(holder->ready[0], &holder->pal, sizeof(holder->pal)),
                sizeof(holder->pal), "holder-ready");
    sys_close(holder->ready[0]);
}

static void start_holder(struct holder *holder)
{
    sys_pipe(holder->ready);
    holder->process = sys_fork();
    if (holder->process == 0) {
        static struct pal pal;
        pal_make(&pal, pal_secret, 1);
        hold_secret(holder, &pal);
        wait_for_death();
    }
    await_secret(holder);
}

static void end_holder(const struct holder *holder)
{
    sys_kill(holder->process, SIGKILL);
    check_equal((unsigned)sys_wait(holder->process, SECONDS), SIGKILL, "holder-killed");
}

static bool has_secret(const uintptr_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] == SECRET) {
            return true;
        }
    }
    return false;
}

/* Makes the kernel give out most of what it has, looks into it and fills it. */
static void use_memory(void)
{
    enum { CHUNK_PAGES = 64, MOST = 4096 };
    static uintptr_t *chunks[MOST];
    const uint64_t bytes = sys_free_bytes() / 4 * 3;
    unsigned count = 0;

    for (; count < MOST && (uint64_t)count * CHUNK_PAGES * PAGE < bytes; count++) {
        chunks[count] = sys_reserve(CHUNK_PAGES);
        for (unsigned page = 0; page < CHUNK_PAGES; page++) {
            volatile uintptr_t *words = chunks[count] + page * (PAGE / sizeof(uintptr_t));
            words[0] = 1;
            words[1] = count;
        }
        check(!has_secret(chunks[count], CHUNK_PAGES * PAGE / sizeof(uintptr_t)),
              "secret-in-memory", count);
    }
    for (unsigned i = 0; i < count; i++) {
        if (chunks[i][1] != i) {
            check_equal(chunks[i][1], i, "memory-lost");
        }
        sys_unmap(chunks[i], CHUNK_PAGES);
    }
}

static void check_killed(void)
{
    static struct holder holders[8];

    for (unsigned i = 0; i < 8; i++) {
        start_holder(&holders[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        end_holder(&holders[i]);
    }
    use_memory();
}

static uintptr_t copied[PAGE / sizeof(uintptr_t)];

static void copy_page(void *start)
{
    memcpy(copied, start, PAGE);
}

/* A page that outlives its process, because the parent has it too. */
static void check_shared_page(void)
{
    static struct holder holder;
    const int file = sys_memory_file(1);
    uint8_t *own = sys_map_file(file, 1);

    sys_pipe(holder.ready);
    holder.process = sys_fork();
    if (holder.process == 0) {
        static struct pal pal;
        pal_make(&pal, pal_secret, 1);
        uint8_t *page = sys_map_file(file, 1);
        *(volatile uintptr_t *)page = SECRET;
        pal.sections.sections[pal.sections.num_sections++] =
            (struct tv_pal_section){TV_SECTION_DATA, 1, (uintptr_t)page};
        hold_secret(&holder, &pal);
        wait_for_death();
    }
    await_secret(&holder);
    check_equal((unsigned)signal_of(copy_page, own), SIGSEGV, "alias-read");
    end_holder(&holder);
    /* Gone with the process, or only when somebody needs it: but not readable. */
    if (signal_of(copy_page, own) == 0) {
        check(!has_secret(copied, PAGE / sizeof(uintptr_t)), "secret-outlives", 0);
    }
    sys_unmap(own, 1);
    sys_close(file);
}

void command_death(int count, char *const arguments[])
{
    (void)count;
    (void)arguments;
    check_killed();
    check_shared_page();
    death_of_the_curious();
    use_memory();
}
