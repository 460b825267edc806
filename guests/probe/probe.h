/*
 * The probes: what a hostile or odd guest may do, each a function that checks what comes of it.
 * They run on the boot CPU, one after the other, with interrupts off; a probe leaves the machine as
 * it found it.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum probe_flags {
    ANYWHERE = 0,
    ON_NACRE = 1, /* what it checks is Nacre's, bare machines differ */
    SEVERAL = 2,  /* needs a second CPU */
    BY_NAME = 4,  /* not by default: it ends the run */
};

struct probe {
    const char *name;
    void (*run)(void);
    unsigned flags;
};

/* One array for each test_*.c, ended by an entry without a name. */
extern const struct probe cpuid_probes[], memory_probes[], mtrr_probes[], msr_probes[], cr_probes[],
    vmx_probes[], startup_probes[], nmi_probes[], xapic_probes[], event_probes[], ending_probes[],
    mode_probes[], x2apic_probes[], pal_probes[], pal_context_probes[], pal_access_probes[],
    pal_table_probes[], pal_register_probes[], pal_race_probes[], pal_event_probes[],
    pal_share_probes[], pal_edge_probes[], pal_view_probes[], pal_number_probes[],
    pal_limit_probes[];

/* The probe that runs has failed; the first reason is printed. */
__attribute__((format(printf, 1, 2))) void fail(const char *format, ...);
/* Something from which no probe can go on. */
__attribute__((format(printf, 1, 2))) _Noreturn void die(const char *format, ...);
/* The probe does not apply here. */
void skip(const char *reason);

bool on_nacre(void);
/* vmcall=1 of the command line: the hypapp answers hypercalls of its own, unknown ones as well. */
bool hypapp_answers(void);
unsigned expected_cpus(void); /* cpus= of the command line; 0: not given */

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail(__VA_ARGS__);                                                                     \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* The single instruction ends like this: a vector, or NO_FAULT; and a fault is its own. */
void expect(const char *what, int got, int vector, const void *code);
#define EXPECT(vector, name, a, b) expect(#name, try(name, a, b), vector, insn_##name)

/* Reasons for the current probe, as at boot. */
struct boot_params;
struct range {
    uint64_t start, end;
    uint32_t type;
};
unsigned boot_ranges(void);
struct range boot_range(unsigned index);
uint64_t boot_rsdp(void);

#endif
