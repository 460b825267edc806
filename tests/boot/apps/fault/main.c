/*
 * A hypapp that breaks on purpose, to test what the platform reports: the first module's string is
 * "fault NAME CPU" (the module itself is not used).  The CPU named commits the fault in VMX root
 * operation while all others run their loops.
 */
#include "nacre.h"
#include "no_pals.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <stdlib.h>
#include <string.h>

static uint8_t data_page_code[16] = {0xc3}; /* RET, in a page that must not execute */
static const uint8_t constant = 1;
static volatile uint64_t sink;

static __attribute__((noinline)) void write_text(void)
{
    *(volatile uint8_t *)(uintptr_t)app_main = 0xcc; /* REQ-MEM-5 */
}

static __attribute__((noinline)) void write_constant(void)
{
    *(volatile uint8_t *)(uintptr_t)&constant = 2; /* REQ-MEM-5 */
}

static __attribute__((noinline)) void execute_data(void)
{
    ((void (*)(void))(uintptr_t)data_page_code)(); /* REQ-MEM-5 */
}

static __attribute__((noinline)) void read_null(void)
{
    sink = *(volatile uint64_t *)(uintptr_t)sink;
}

/* Deeper and deeper, in frames much smaller than a guard page, past the end of the stack. */
static __attribute__((noinline)) uint64_t overflow_stack(unsigned depth) /* REQ-STK-1 */
{
    volatile uint64_t frame[64];

    if (depth == 1000) {
        return 0; /* 512 KiB: far past the guard page, had it not stopped us */
    }
    frame[depth % 64] = depth;
    sink = overflow_stack(depth + 1) + frame[depth % 64];
    return sink;
}

static __attribute__((noinline)) void read_missing_msr(void)
{
    sink = hw_rdmsr(0x12345678);
}

static void commit(const char *fault)
{
    if (strcmp(fault, "write-text") == 0) {
        write_text();
    } else if (strcmp(fault, "write-constant") == 0) {
        write_constant();
    } else if (strcmp(fault, "execute-data") == 0) {
        execute_data();
    } else if (strcmp(fault, "read-null") == 0) {
        read_null();
    } else if (strcmp(fault, "overflow") == 0) {
        overflow_stack(0);
    } else if (strcmp(fault, "msr") == 0) {
        read_missing_msr();
    } else {
        CHECK(strcmp(fault, "check") != 0);
    }
    log_error("fault: '%s' was not caught", fault);
}

static void maybe_commit(unsigned cpu)
{
    char fault[32];
    const char *string = nacre.boot->modules[0].string + strlen("fault ");
    size_t length = strcspn(string, " ");

    if (length >= sizeof(fault) || strtoul(string + length, NULL, 10) != cpu) {
        return;
    }
    memcpy(fault, string, length);
    fault[length] = '\0';
    hw_delay_us(100000); /* the others have reached their loops */
    commit(fault);
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    nacre_start_cpus();
    maybe_commit(0);
    for (;;) {
        hw_pause();
    }
}

_Noreturn void app_ap_main(unsigned cpu)
{
    maybe_commit(cpu);
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

bool app_cpuid(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

void app_summary(void)
{
}
