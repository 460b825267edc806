/*
 * What the tests of libtv share: vCPUs that are plain structures, the other CPUs as a callback, a
 * machine with a guest map, guest processes with page tables of every mode, and PALs.
 *
 * Nothing here uses libtv's inside, and of libept only what makes the guest map: page tables and
 * nested tables are walked by code of the suite's own and the fake machine's.  Everything is one
 * static world; suite_start() begins a new one.  What must not happen ends in suite_failed(), which
 * the program defines (pal_test.h for cmocka).
 */
#ifndef TESTS_PAL_SUITE_H
#define TESTS_PAL_SUITE_H

#include <fake/machine.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tv/tv.h>

#define SUITE_CPUS 3U
#define SUITE_PHYS_BITS 40U

_Noreturn void suite_failed(const char *file, int line, const char *what);
#define SUITE_CHECK(condition)                                                                     \
    ((condition) ? (void)0 : suite_failed(__FILE__, __LINE__, #condition))

/* Of the guest, or isolated. */
struct vcpu {
    unsigned cpu;
    bool isolated, loaded, has_vector, active; /* active: between isolated_start and _end */
    enum vcpu_width width;
    uint64_t gpr[16], rip, rflags, base[6];
    struct vcpu_paging paging; /* cpl too */
    unsigned skipped, starts, ends;
    struct {
        unsigned count, vector;
        bool has_error_code;
        uint32_t error_code;
    } injected;
    struct vcpu_isolated_start start;
};

/* Translations that a CPU keeps until they are dropped, by nested root. */
struct suite_cached {
    uint64_t root, address, hpa;
    unsigned rights;
    bool linear;
};
#define SUITE_CACHED 512U

typedef void suite_play(void *arg);

struct suite {
    struct vcpu guest[SUITE_CPUS], isolated[SUITE_CPUS];
    struct tv tv;
    struct ept map; /* the guest's */
    struct pool pool;
    struct mtrr mtrr;
    uint64_t next_frame; /* of the guest's free memory */
    /* The world. */
    bool stopped, guarded;
    unsigned stopper, stops, polls;
    uint64_t poll_cycles; /* that each poll takes */
    suite_play *play;     /* other CPUs' action at one of the next events */
    void *play_arg;
    unsigned countdown;
    unsigned events; /* calls of world_stop() and world_poll() since suite_interfere() */
    struct suite_cached cached[SUITE_CPUS][SUITE_CACHED];
    unsigned cached_count[SUITE_CPUS];
    uint64_t random;
};
extern struct suite suite;

/* vCPUs and the world: pal_vcpu.c ------------------------------------------------------------- */

void suite_vcpus_init(void);
/* At the nth stop or poll from now the function plays what other CPUs do meanwhile; once. */
void suite_interfere(unsigned nth, suite_play *play, void *arg);
/* Caches a translation on the CPU, and fails if it had cached another one. */
void suite_cache(unsigned cpu, const struct suite_cached *translation);
void suite_drop(unsigned cpu, uint64_t root);

/* The machine and its processes: pal_process.c ------------------------------------------------ */

#define SUITE_RAM_END 0x180000000ULL /* RAM but [640K, 1M), [3G, 4G) and the region */
#define SUITE_POOL_PAGES 4096U
#define SUITE_FRAMES 0x20000000ULL    /* free memory of the guest: 2-MiB pages of its map */
#define SUITE_FRAMES_1G 0x40000000ULL /* the same in a 1-GiB page */
#define SUITE_UNCACHED 0x90000000ULL  /* 2 MiB of RAM of type UC */
#define SUITE_DEVICE 0xc0000000ULL    /* no RAM, but in the guest's map */

/* A new machine, everything free; the guest's map is the identity map but for the region. */
void suite_start(void);
/* Only so many free table pages from now on. */
void suite_keep_free(uint64_t pages);
void suite_give_all(void);
/* A pool of that size, whose pages are soon used again. */
void suite_limit_pool(uint64_t pages);

enum suite_mode { SUITE_64, SUITE_LA57, SUITE_COMPAT, SUITE_PAE, SUITE_32, SUITE_MODES };

struct suite_process {
    enum suite_mode mode;
    uint64_t cr3, pdpte[4];
};

#define SUITE_USER 1U
#define SUITE_WRITE 2U
#define SUITE_EXECUTE 4U
#define SUITE_RW (SUITE_USER | SUITE_WRITE)
#define SUITE_RX (SUITE_USER | SUITE_EXECUTE)

/* Every process has these, user read and write. */
#define SUITE_ARGS 0x07000000ULL
#define SUITE_STACK 0x07100000ULL
#define SUITE_BUFFER 0x07200000ULL
#define SUITE_RANGE_PAGES 4U

static inline enum vcpu_width suite_width(const struct suite_process *process)
{
    return process->mode <= SUITE_LA57 ? VCPU_64BIT : VCPU_32BIT;
}

void suite_process_make(struct suite_process *process, enum suite_mode mode);
/* One entry, 4 or 8 bytes; level 1 = page; tables on the way are made. */
void *suite_entry(const struct suite_process *process, uint64_t linear, unsigned level);
void suite_map(const struct suite_process *process, uint64_t linear, uint64_t gpa, unsigned rights);
void suite_map_large(const struct suite_process *process, uint64_t linear, uint64_t gpa,
                     unsigned rights, unsigned level);
void suite_unmap(const struct suite_process *process, uint64_t linear);
/* Where it is mapped; ~0 if nowhere. */
uint64_t suite_gpa(const struct suite_process *process, uint64_t linear);
uint64_t suite_frames(uint64_t pages);
/* The process runs on the CPU, in ring 3, and the thread is that CPU. */
void suite_run(unsigned cpu, const struct suite_process *process);
void suite_put(const struct suite_process *process, uint64_t linear, const void *from,
               uint64_t bytes);
void suite_get(const struct suite_process *process, uint64_t linear, void *to, uint64_t bytes);

/* Accesses of guests and PALs, through the tables: pal_access.c -------------------------------- */

enum suite_access { SUITE_LOAD, SUITE_STORE, SUITE_FETCH };

enum suite_outcome {
    SUITE_DONE,     /* the access took place */
    SUITE_FAULT,    /* a page fault of the guest's own */
    SUITE_ENTERED,  /* a PAL runs */
    SUITE_RETURNED, /* a call of a PAL came back without running it */
    SUITE_REFUSED,  /* an exception was injected */
    SUITE_NOT_OURS, /* nothing to do with PALs */
    SUITE_WAITS     /* comes again and again */
};

/* An access of the guest that runs on the CPU; violations go to libtv until it has an outcome. */
enum suite_outcome suite_guest(unsigned cpu, uint64_t linear, enum suite_access access);
/* The same without libtv, changing nothing: may the access take place? */
bool suite_guest_may(unsigned cpu, uint64_t linear, enum suite_access access);

/* An access of the PAL that runs on the CPU; false: it would stop. */
bool suite_pal(unsigned cpu, uint64_t linear, enum suite_access access, void *data, unsigned bytes);
/* The PAL returns to where its stack says. */
void suite_pal_return(unsigned cpu, uint64_t value);
void suite_pal_stop(unsigned cpu, enum vcpu_stop_reason reason, unsigned vector, uint64_t address);

/* What holds at any time: pal_check.c ---------------------------------------------------------- */

/* Of every translation and hidden page of the guest's map, by size. */
uint64_t suite_map_digest(void);
/*
 * No page belongs to two PALs, each PAL's pages are out of the guest's map or reduced in it,
 * nothing else is missing there, and neither the guest's map nor a PAL's space reaches the
 * hypervisor, but for the space's page tables, which are read-only (REQ-EPT-5).
 */
void suite_check(void);

/* All that a refusal must leave as it was; content: of the pages that the PAL would have. */
struct suite_state {
    uint64_t map, free_pages, content;
    unsigned pals;
};
struct suite_pal;
struct suite_state suite_state(const struct suite_pal *pal);
/* Fails if anything is different now, and checks everything. */
void suite_same(const struct suite_state *state, const struct suite_pal *pal);

/* PALs: pal_make.c ----------------------------------------------------------------------------- */

struct suite_pal {
    const struct suite_process *process;
    bool by_number;
    uint32_t flags;
    uint64_t entry;
    unsigned section_count, param_count;
    struct tv_pal_section section[TV_PAL_SECTIONS_MAX + 2];
    struct tv_pal_parameter param[TV_PARAMS_MAX + 2];
    struct tv_pal_register answer; /* of the new interface */
};

/* Four sections from base on: 2 pages CODE, 1 DATA, 1 PARAM, 2 STACK. */
void suite_pal_plan(struct suite_pal *pal, const struct suite_process *process, uint64_t base,
                    bool by_number);
#define SUITE_CODE_PAGES 2U
#define SUITE_PAL_PAGES 6U
#define SUITE_DATA_AT 0x2000U
#define SUITE_PARAM_AT 0x3000U
#define SUITE_STACK_AT 0x4000U
/* Memory for its sections, with random content and just the rights that are needed. */
void suite_pal_map(const struct suite_pal *pal);
void suite_pal_make(struct suite_pal *pal, const struct suite_process *process, uint64_t base,
                    bool by_number);
enum tv_error suite_register(unsigned cpu, struct suite_pal *pal);
enum tv_error suite_unregister(unsigned cpu, const struct suite_pal *pal);
/* Any hypercall: checks that it changes RAX and RIP alone; what a PAL that was entered returns,
 * too.
 */
uint64_t suite_hypercall(unsigned cpu, uint32_t number, uint64_t cx, uint64_t dx, uint64_t si,
                         uint64_t di);
/* Calls it with arguments; by address like a C function. */
enum suite_outcome suite_call(unsigned cpu, const struct suite_pal *pal, const uint64_t *value);
#define SUITE_RETURN_TO 0x08049abcULL
/* After a call: its error, and value. */
enum tv_error suite_result(unsigned cpu, const struct suite_pal *pal, uint64_t *value);
/* Hypervisor's record of a PAL; NULL if there is none. */
const struct tv_pal *suite_find(const struct suite_pal *pal);

static inline uint64_t suite_random(uint64_t limit)
{
    suite.random ^= suite.random << 13;
    suite.random ^= suite.random >> 7;
    suite.random ^= suite.random << 17;
    return suite.random % limit;
}

#endif
