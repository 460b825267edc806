/* Events for a CPU that runs a PAL (REQ-PAL-6), and what ends one from outside. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define ROUNDS 100000
#define LONG 20000000 /* ticks in which ROUNDS end, whatever else happens */

static struct user user;

/* A call on another CPU. */
static struct call {
    struct user user;
    uint64_t operation, value;
    uint64_t interrupts; /* RFLAGS.IF of the caller */
    volatile uint64_t result;
    volatile unsigned ended;
} call;

static void call_job(void *argument)
{
    struct call *c = argument;

    user_start(&c->user, USER64, STUB_CALL);
    c->user.frame.rbx = user_linear(PAL_PAGE(0));
    c->user.frame.rdi = c->operation;
    c->user.frame.rsi = c->value;
    c->user.frame.rdx = user_linear(PAGE_BUFFER);
    c->user.frame.rflags |= c->interrupts;
    int vector = user_run(&c->user);
    c->result = vector != NO_FAULT                ? FAULTED + (unsigned)vector
                : (c->user.frame.rflags & 1) != 0 ? FAILED + c->user.frame.rax
                                                  : c->user.frame.rax;
    c->ended++;
}

static uint64_t share_absent(void)
{
    uint64_t *words = user_at(&user, PAGE_ARGS);
    words[0] = user_linear(PAGE_ABSENT);
    words[1] = PAGE;
    const uint64_t args[4] = {user_linear(PAL_PAGE(0)), user_linear(PAGE_ARGS),
                              user_linear(PAGE_ARGS) + 8, 1};
    return user_vmcall(&user, USER64, TV_SHARE, args);
}

/* Whether the PAL runs, as SHARE of an absent page tells without another effect. */
static bool running(void)
{
    return share_absent() == TV_ERROR_PAL_BUSY;
}

/* CPU 1 is inside the PAL when this returns true. */
static bool call_start(uint64_t operation, uint64_t value, uint64_t interrupts)
{
    call.user = user;
    call.operation = operation;
    call.value = value;
    call.interrupts = interrupts;
    call.result = 0;
    call.ended = 0;
    smp_call(1, call_job, &call);
    for (unsigned i = 0; i < 1000; i++) {
        if (running()) {
            return true;
        }
    }
    return false;
}

static bool set_up(void)
{
    if (!pal_ready()) {
        return false;
    }
    user_new(&user, 0);
    uint64_t error = pal_register(&user, 0);
    if (error != TV_OK) {
        fail("REG: %llx", (unsigned long long)error);
    }
    return error == TV_OK;
}

static volatile uint64_t nmi_rip;

static void note_nmi(struct frame *frame)
{
    nmi_rip = frame->rip;
}

/* After the return, not inside. */
static bool in_pal(uint64_t rip)
{
    return rip >= user_linear(PAL_PAGE(0)) + 1 && rip < user_linear(PAL_PAGE(0)) + PAGE;
}

static void nmi(void)
{
    if (!set_up()) {
        return;
    }
    for (unsigned i = 0; i < pal_rounds(20); i++) {
        unsigned before = cpus[1].nmi_count;
        cpus[1].nmi_hook = note_nmi;
        REQUIRE(call_start(OP_LOOP, ROUNDS, 0), "the PAL does not run");
        delay(i * 1000);
        REQUIRE(call.ended == 0, "too short a loop");
        ipi(1, IPI_NMI);
        REQUIRE(smp_wait(1, LONG), "CPU 1 does not come back");
        delay(3000);
        cpus[1].nmi_hook = NULL;
        REQUIRE(call.result == ROUNDS, "result %llx", (unsigned long long)call.result);
        REQUIRE(cpus[1].nmi_count == before + 1, "%u NMIs", cpus[1].nmi_count - before);
        REQUIRE(!in_pal(nmi_rip), "the NMI came inside, at %llx", (unsigned long long)nmi_rip);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

static void nmi_flood(void)
{
    if (!set_up()) {
        return;
    }
    unsigned before = cpus[1].nmi_count;
    REQUIRE(call_start(OP_LOOP, ROUNDS, 0), "the PAL does not run");
    for (unsigned i = 0; i < 500 && call.ended == 0; i++) {
        ipi(1, IPI_NMI);
    }
    REQUIRE(smp_wait(1, LONG), "CPU 1 does not come back");
    REQUIRE(call.result == ROUNDS, "result %llx", (unsigned long long)call.result);
    REQUIRE(cpus[1].nmi_count > before, "no NMI");
    REQUIRE(pal_works(&user, 0, 0) && pal_unregister(&user, 0) == TV_OK, "the PAL");
}

/* From another CPU, and from the caller's own timer. */
static void interrupt(void)
{
    if (!set_up()) {
        return;
    }
    for (unsigned i = 0; i < pal_rounds(20); i++) {
        unsigned before = cpus[1].irq_count;
        REQUIRE(call_start(OP_LOOP, ROUNDS, BIT(9)), "the PAL does not run");
        delay(i * 1000);
        REQUIRE(call.ended == 0 && cpus[1].irq_count == before, "too early");
        ipi(1, IPI_FIXED | 0x46);
        REQUIRE(smp_wait(1, LONG), "CPU 1 does not come back");
        REQUIRE(call.result == ROUNDS, "result %llx", (unsigned long long)call.result);
        REQUIRE(cpus[1].irq_count == before + 1, "%u interrupts", cpus[1].irq_count - before);
        REQUIRE(!in_pal(cpus[1].irq_rip), "inside, at %llx", (unsigned long long)cpus[1].irq_rip);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE 0x3e0

static void timer(void)
{
    if (!set_up()) {
        return;
    }
    apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = cpus[0].irq_count;
        struct call *c = &call;
        c->user = user;
        c->operation = OP_LOOP;
        c->value = ROUNDS;
        c->interrupts = BIT(9);
        apic_write(APIC_LVT_TIMER, 0x47);
        apic_write(APIC_TIMER_INITIAL, 20000 + 1000 * i);
        call_job(c);
        delay(3000);
        REQUIRE(c->result == ROUNDS, "result %llx", (unsigned long long)c->result);
        if (cpus[0].irq_count == before) { /* a slower clock: it comes now */
            __asm__ volatile("sti");
            delay(1000000);
            __asm__ volatile("cli");
        }
        REQUIRE(cpus[0].irq_count == before + 1, "%u interrupts", cpus[0].irq_count - before);
        REQUIRE(!in_pal(cpus[0].irq_rip), "inside, at %llx", (unsigned long long)cpus[0].irq_rip);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* INIT waits for the PAL's return; a start-up IPI before that is for nobody or starts the CPU. */
static void init(void)
{
    if (!set_up()) {
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        uint64_t loops = user_call(&user, 0, OP_COUNT, 0);
        unsigned starts = cpus[1].starts;
        REQUIRE(call_start(OP_LOOP, ROUNDS, 0), "the PAL does not run");
        delay(i * 3000);
        ipi(1, IPI_INIT);
        if (i & 1) {
            ipi(1, IPI_SIPI | smp_vector(1));
        }
        uint64_t start = rdtsc();
        while (running()) {
            REQUIRE(rdtsc() - start < LONG, "the PAL does not end");
        }
        delay(10000);
        REQUIRE(user_call(&user, 0, OP_COUNT, 0) == loops + 1, "the PAL did not end by itself");
        if (cpus[1].starts == starts) {
            ipi(1, IPI_SIPI | smp_vector(1));
        }
        REQUIRE(smp_wait_start(1, starts + 1), "CPU 1 does not start");
        REQUIRE(call.ended == 0, "INIT was lost: the call returned");
        smp_call(1, call_job, &call);
        REQUIRE(smp_wait(1, LONG) && call.result == ROUNDS, "CPU 1 calls no PAL afterwards");
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* Start-up IPIs alone do nothing to a CPU that runs. */
static void sipi(void)
{
    if (!set_up()) {
        return;
    }
    unsigned starts = cpus[1].starts;
    REQUIRE(call_start(OP_LOOP, ROUNDS, 0), "the PAL does not run");
    for (unsigned i = 0; i < 10; i++) {
        ipi(1, IPI_SIPI | smp_vector(1));
    }
    REQUIRE(smp_wait(1, LONG), "CPU 1 does not come back");
    REQUIRE(call.result == ROUNDS && cpus[1].starts == starts, "result %llx, %u starts",
            (unsigned long long)call.result, cpus[1].starts - starts);
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* Nobody can change a PAL that runs, but the OS can take its memory: that ends it. */
static void lost(void)
{
    static const unsigned pages[] = {PAL_PAGE(0), PAL_DATA(0), PAL_PARAM(0), PAL_STACK(0)};

    if (!pal_ready()) {
        return;
    }
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        REQUIRE(set_up() && user_call(&user, 0, OP_SECRET, 99) == 0, "set-up");
        REQUIRE(call_start(OP_ENDLESS, 0, 0), "the PAL does not run");
        REQUIRE(pal_unregister(&user, 0) == TV_ERROR_PAL_BUSY, "UNREG of a PAL that runs");
        REQUIRE(call.ended == 0, "it ended too early: %llx", (unsigned long long)call.result);
        (void)*(volatile uint64_t *)user_at(&user, pages[i]);
        REQUIRE(*(volatile uint64_t *)user_at(&user, PAL_DATA(0)) == 0, "the secret is visible");
        REQUIRE(smp_wait(1, LONG), "CPU 1 does not come back");
        REQUIRE(call.result == FAILED + TV_ERROR_PAL_LOST, "result %llx",
                (unsigned long long)call.result);
        REQUIRE(pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL, "UNREG");
    }
}

/* With a small pal-budget= only. */
static void budget(void)
{
    if (!set_up()) {
        return;
    }
    (void)user_call(&user, 0, OP_SECRET, 99);
    uint64_t got = user_call(&user, 0, OP_ENDLESS, 0);
    REQUIRE(got == FAILED + TV_ERROR_PAL_TIMEOUT, "%llx", (unsigned long long)got);
    got = user_call(&user, 0, OP_DOUBLE, 0);
    REQUIRE(got == FAILED + TV_ERROR_PAL_ENDED, "called again: %llx", (unsigned long long)got);
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
    REQUIRE(*(volatile uint64_t *)user_at(&user, PAL_DATA(0)) == 0, "the secret is visible");
}

const struct probe pal_event_probes[] = {
    {"pal-nmi", nmi, ON_NACRE | SEVERAL},
    {"pal-nmi-flood", nmi_flood, ON_NACRE | SEVERAL},
    {"pal-interrupt", interrupt, ON_NACRE | SEVERAL},
    {"pal-timer", timer, ON_NACRE},
    {"pal-init", init, ON_NACRE | SEVERAL},
    {"pal-sipi", sipi, ON_NACRE | SEVERAL},
    {"pal-lost", lost, ON_NACRE | SEVERAL},
    {"budget-pal", budget, BY_NAME},
    {0},
};
