/* Runs the probes that the command line names. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

#define ZP_CMD_LINE_PTR 0x228
#define CMDLINE_BYTES 2048

extern uint64_t boot_params_address;
void main(void);

static const struct probe *const groups[] = {
#define GROUP(name) name##_probes
#include "groups.h"
};
#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

static char cmdline[CMDLINE_BYTES];
static uint8_t boot_params[4096];
static const struct probe *current;
static bool failed, skipped;
static unsigned passed_count, failed_count;
static unsigned cpus_given;
static bool vmcall_answered;

void fail(const char *format, ...)
{
    __builtin_va_list list;

    if (!failed) {
        print("PROBE: FAIL %s ", current->name);
        __builtin_va_start(list, format);
        print_list(format, list);
        __builtin_va_end(list);
        print("\n");
    }
    failed = true;
}

_Noreturn void die(const char *format, ...)
{
    __builtin_va_list list;

    print("PROBE: FAIL %s ", current == NULL ? "start" : current->name);
    __builtin_va_start(list, format);
    print_list(format, list);
    __builtin_va_end(list);
    print("\nPROBE: %u passed, %u failed\n", passed_count, failed_count + 1);
    power_off();
}

void skip(const char *reason)
{
    print("PROBE: skip %s %s\n", current->name, reason);
    skipped = true;
}

void expect(const char *what, int got, int vector, const void *code)
{
    const struct try *try = &cpu_self()->try;

    if (got != vector) {
        fail("%s: exception %d error %llx at %llx instead of %d", what, got,
             (unsigned long long)try->error, (unsigned long long)try->fault_rip, vector);
    } else if (vector != NO_FAULT && try->fault_rip != (uint64_t)code) {
        fail("%s: exception %d at %llx instead of %llx", what, got,
             (unsigned long long)try->fault_rip, (unsigned long long)code);
    }
}

bool on_nacre(void)
{
    return cpuid(1, 0).ecx & BIT(31) && cpuid(0x40000000, 0).ebx == 0x7263614e; /* "Nacr" */
}

bool hypapp_answers(void)
{
    return vmcall_answered;
}

unsigned expected_cpus(void)
{
    return cpus_given;
}

/* The value of a word NAME=NUMBER; false: the word is another. */
static bool number_word(const char *word, const char *name, uint64_t *value)
{
    while (*name != '\0') {
        if (*word++ != *name++) {
            return false;
        }
    }
    for (*value = 0; *word >= '0' && *word <= '9'; word++) {
        *value = *value * 10 + (uint64_t)(*word - '0');
    }
    return true;
}

/* "msr" names msr-read and msr-write too. */
static bool names(const char *word, const char *probe)
{
    while (*word != '\0' && *word == *probe) {
        word++;
        probe++;
    }
    return *word == '\0' && (*probe == '\0' || *probe == '-');
}

static void run(const struct probe *probe)
{
    current = probe;
    failed = skipped = false;
    if ((probe->flags & ON_NACRE) && !on_nacre()) {
        skip("is about Nacre");
    } else if ((probe->flags & SEVERAL) && cpu_count < 2) {
        skip("needs several CPUs");
    } else {
        probe->run();
    }
    if (!failed && !skipped) {
        print("PROBE: ok %s\n", probe->name);
        passed_count++;
    }
    failed_count += failed;
}

static unsigned run_named(const char *word)
{
    unsigned count = 0;

    for (unsigned i = 0; i < GROUP_COUNT; i++) {
        for (const struct probe *probe = groups[i]; probe->name != NULL; probe++) {
            if (word == NULL ? !(probe->flags & BY_NAME) : names(word, probe->name)) {
                run(probe);
                count++;
            }
        }
    }
    return count;
}

static void run_all(void)
{
    unsigned named = 0;
    uint64_t value;

    for (char *at = cmdline; *at != '\0';) {
        char *word = at;
        bool option = false;
        for (; *at != '\0' && *at != ' '; at++) {
            option |= *at == '=';
        }
        if (*at == ' ') {
            *at++ = '\0';
        }
        if (number_word(word, "cpus=", &value)) {
            cpus_given = (unsigned)value;
        } else if (number_word(word, "vmcall=", &value)) {
            vmcall_answered = value != 0;
        } else if (number_word(word, "seed=", &value)) {
            random_seed(value);
        } else if (*word != '\0' && !option) {
            named++;
            if (run_named(word) == 0) {
                print("PROBE: FAIL %s no probe has this name\n", word);
                failed_count++;
            }
        }
    }
    if (named == 0) {
        run_named(NULL);
    }
}

void main(void)
{
    uint32_t from;

    console_init();
    out8(0x21, 0xff); /* the boot loader's timer would still interrupt */
    out8(0xa1, 0xff);
    trap_init(0);
    memcpy(boot_params, (const void *)boot_params_address, sizeof(boot_params));
    boot_params_address = (uint64_t)boot_params;
    memcpy(&from, boot_params + ZP_CMD_LINE_PTR, 4);
    if (from != 0) {
        memcpy(cmdline, (const void *)(uint64_t)from, CMDLINE_BYTES - 1);
    }
    smp_init();
    smp_start_all();
    print("PROBE: up on %u CPUs%s\n", cpu_count, on_nacre() ? " on Nacre" : "");
    run_all();
    print("PROBE: %u passed, %u failed\n", passed_count, failed_count);
    power_off();
}
