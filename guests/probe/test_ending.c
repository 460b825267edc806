/*
 * What ends the guest: the machine is reset, and whatever boots next finds the name of the probe in
 * the CMOS memory.  Run one by its name, on a machine that resets on a triple fault.
 */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_MARK 0x7a /* bytes that no BIOS here uses */
#define CMOS_NUMBER 0x7b
#define MARK 0xa7

static void cmos_write(uint8_t index, uint8_t value)
{
    out8(CMOS_INDEX, index);
    out8(CMOS_DATA, value);
}

static uint8_t cmos_read(uint8_t index)
{
    out8(CMOS_INDEX, index);
    return in8(CMOS_DATA);
}

/* False in the second life of the machine: the reset has come. */
static bool first_life(uint8_t number)
{
    if (cmos_read(CMOS_MARK) == MARK && cmos_read(CMOS_NUMBER) == number) {
        cmos_write(CMOS_MARK, 0);
        return false;
    }
    cmos_write(CMOS_MARK, MARK);
    cmos_write(CMOS_NUMBER, number);
    return true;
}

static void survived(void)
{
    delay(5000000);
    cmos_write(CMOS_MARK, 0);
    fail("the guest goes on");
}

static const struct table_register no_idt = {0, 0};

static void triple_fault(void *argument)
{
    (void)argument;
    lidt(&no_idt);
    __asm__ volatile("int3");
}

static void triple(void)
{
    if (first_life(1)) {
        triple_fault(NULL);
        survived();
    }
}

static void triple_elsewhere(void)
{
    if (first_life(2)) {
        smp_call(1, triple_fault, NULL);
        survived();
    }
}

/* By faults that Nacre injects: #UD, whose handler's gate is hidden, and so on to shutdown. */
static void triple_injected(void)
{
    struct region region;

    if (first_life(3)) {
        REQUIRE(region_find(&region), "no region");
        struct table_register hidden = {0xfff, region.start};
        lidt(&hidden);
        __asm__ volatile("vmxoff"); /* #UD by every hypapp */
        survived();
    }
}

static void page_table_hidden(void)
{
    struct region region;

    if (first_life(4)) {
        REQUIRE(region_find(&region), "no region");
        write_cr3(region.start);
        survived();
    }
}

static void init_boot_cpu(void)
{
    if (first_life(5)) {
        ipi(0, IPI_INIT);
        survived();
    }
}

static void send_init(void *argument)
{
    (void)argument;
    ipi(0, IPI_INIT);
}

static void init_boot_cpu_from_other(void)
{
    if (first_life(6)) {
        smp_call(1, send_init, NULL);
        survived();
    }
}

/* As ACPI's reset register has it (Bochs does not come back from the keyboard controller's reset).
 */
static void reset_control(void)
{
    if (first_life(7)) {
        out8(0xcf9, 2);
        out8(0xcf9, 6);
        survived();
    }
}

/* CR3 is loaded with a PAL's page: it is wiped, and the guest has no page tables any more. */
static void page_table_of_pal(void)
{
    static struct user user;

    if (first_life(8)) {
        user_new(&user, 0);
        if (pal_register(&user, 0) != TV_OK) {
            cmos_write(CMOS_MARK, 0);
            fail("REG");
            return;
        }
        write_cr3(user_physical(&user, PAL_DATA(0)));
        survived();
    }
}

/* The boot CPU runs an endless PAL when another one ends the guest: it is wiped as well. */
static void elsewhere_with_pal(void)
{
    static struct user user;

    if (first_life(9)) {
        user_new(&user, 0);
        bool registered = pal_register(&user, 0) == TV_OK;
        smp_call(1, triple_fault, NULL);
        if (registered) {
            (void)user_call(&user, 0, OP_ENDLESS, 0);
        }
        survived();
    }
}

static void init_with_pal(void)
{
    static struct user user;

    if (first_life(10)) {
        user_new(&user, 0);
        bool registered = pal_register(&user, 0) == TV_OK;
        smp_call(1, send_init, NULL);
        if (registered) {
            (void)user_call(&user, 0, OP_LOOP, 100000);
        }
        survived();
    }
}

#define SECRET 0x5ec2e75ec2e7U

/* Memory outlives the reset, as a page beside the PAL's shows; what the PAL had in it does not. */
static void reset_wipes(void)
{
    static struct user user;
    const struct user same = {.number = 0};
    volatile uint64_t *beside = user_at(&same, PAGE_FREE), *data = user_at(&same, PAL_DATA(0));
    bool found = false;

    if (first_life(11)) {
        user_new(&user, 0);
        bool kept = pal_register(&user, 0) == TV_OK &&
                    user_call(&user, 0, OP_SECRET, SECRET) == 0 && pal_works(&user, 0, SECRET);
        beside[0] = SECRET;
        if (kept) {
            out8(0xcf9, 2);
            out8(0xcf9, 6);
        }
        survived();
        return;
    }
    REQUIRE(beside[0] == SECRET, "memory does not outlive a reset here");
    for (unsigned word = 0; word < PAGE / sizeof(*data); word++) {
        found = found || data[word] != 0;
    }
    REQUIRE(!found, "the PAL's memory was not wiped");
}

const struct probe ending_probes[] = {
    {"ending-triple", triple, BY_NAME},
    {"ending-triple2", triple_elsewhere, BY_NAME | SEVERAL},
    {"ending-injected", triple_injected, BY_NAME | ON_NACRE},
    {"ending-cr3", page_table_hidden, BY_NAME | ON_NACRE},
    {"ending-init", init_boot_cpu, BY_NAME},
    {"ending-init2", init_boot_cpu_from_other, BY_NAME | SEVERAL},
    {"ending-pal", page_table_of_pal, BY_NAME | ON_NACRE},
    {"ending-loop", elsewhere_with_pal, BY_NAME | ON_NACRE | SEVERAL},
    {"ending-during", init_with_pal, BY_NAME | ON_NACRE | SEVERAL},
    {"ending-wipe", reset_wipes, BY_NAME | ON_NACRE},
    {"ending-reset", reset_control, BY_NAME},
    {0},
};
