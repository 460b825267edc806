/*
 * TrustVisor as a hypapp uses it: detection, hypercalls, and PALs.
 *
 * The hypapp owns struct tv and calls from its run loop, on the CPU concerned, while it is stopped
 * in an exit.  Everything but tv_init() may run on all CPUs at once; the hypapp holds no lock
 * meanwhile, because libtv may stop the world (<world/world.h>).  Nothing here fails for the
 * hypapp: what a guest does wrong is a number in its EAX, an exception, or the end of a PAL.
 *
 * A CPU runs either its guest's vCPU or its isolated one (<vcpu/isolated.h>): tv_hypercall() and
 * tv_violation() may load the isolated one, tv_isolated_stop() the guest's again.
 */
#ifndef TV_TV_H
#define TV_TV_H

#include <base/pool.h>
#include <ept/gwalk.h>
#include <ept/mtrr.h>
#include <tv/marshal.h>
#include <tv/measure.h>
#include <tv/registry.h>
#include <tv/service.h>
#include <tv/space.h>
#include <vcpu/isolated.h>

/* What libtv is given; all of it outlives struct tv. */
struct tv_config {
    struct ept *guest_map;   /* nested map of all the guest's CPUs; changed in a stopped world */
    uint64_t budget_ticks;   /* of the TSC: as vcpu_isolated_set_budget() was told; 0: no limit */
    uint64_t guest_tables;   /* pages of the map's pool that PALs leave for its own changes */
    const struct mtrr *mtrr; /* what the guest map's memory types follow */
    unsigned phys_bits;      /* MAXPHYADDR */
    bool pages_1g;           /* CPUID.80000001H:EDX.Page1GB */
    struct vcpu *isolated[CONFIG_MAX_CPUS];
};

/* A caller and its PAL, as marshalling reaches them (<tv/memory.h>). */
struct tv_memory {
    const struct ept *guest_map;
    const struct tv_pal *pal;
    const struct tv_context *context;
    struct gwalk_paging paging; /* of the caller */
    enum vcpu_width width;      /* of its code */
    struct gwalk_cache walks;   /* of this CPU's callers, kept between calls */
};

/* SHARE: ranges and pages that one PAL can have; each page is looked up again at each call. */
#define TV_SHARES_MAX 8
#define TV_SHARE_PAGES_MAX 256

/* Pages of the caller's that the PAL may use too: [start, start + pages * 4096). */
struct tv_share {
    uint64_t start;
    uint32_t pages;
    struct gpa gpa; /* in the PAL's space */
};

/* A page of the PAL's that most calls write to. */
struct tv_page {
    uint64_t linear;
    struct hpa hpa;
    uint8_t *memory; /* the same as hw_phys_page() gives it */
};

/* One PAL, beside its entry in the registry (libtv/context.h says who may touch it). */
struct tv_context {
    uint32_t state;           /* atomic */
    const struct tv_pal *pal; /* unless the state is FREE */
    bool doomed;              /* set in a stopped world: end it */
    bool by_number;           /* registered by TV_PAL_REGISTER */
    bool vector;              /* may use vector registers */
    unsigned share_count;
    struct gpa entry_page; /* of the guest's, that the entry point is in */
    struct tv_space space;
    struct gpa section_gpa[TV_PAL_SECTIONS_MAX]; /* in the PAL's space */
    struct tv_page param, stack;                 /* first page of PARAM, last one of STACK */
    struct tv_marshal_plan plan;
    struct tv_share share[TV_SHARES_MAX];
    struct gwalk_paging owner; /* the process, as it registered */
    struct tv_pcrs pcrs;       /* of its micro-TPM; its identity from registration on */
};

/* A registration on its way. */
struct tv_request {
    struct tv_pal_key key;
    bool by_number, vector;
    unsigned section_count;
    struct tv_section section[TV_PAL_SECTIONS_MAX];
    struct tv_signature signature;
    uint32_t faulty; /* section or parameter that an error is about */
};

/* One CPU; only that CPU touches it. */
struct tv_cpu {
    struct tv_context *running; /* NULL: the guest runs */
    struct tv_context *last;    /* called by address last: likely to be called again */
    uint32_t id;                /* of that PAL, or TV_CPUID_NO_PAL */
    struct vcpu *guest;
    uint64_t return_address; /* of a caller by address, and its RSP where it lies */
    uint64_t rsp;
    uint64_t first_stop;  /* TSC when the PAL stopped without an end for the first time, else 0 */
    uint64_t call_linear; /* of a caller by number: its struct tv_pal_call */
    struct tv_marshal_back back;
    struct tv_memory memory;
    struct tv_request request;
    struct tv_share share[TV_SHARES_MAX]; /* of a SHARE on its way */
    uint8_t buffer[512];
    struct tv_random random;
    uint8_t service[TV_SERVICE_BUFFER_BYTES];
} __attribute__((aligned(64)));

/* TSC ticks spent in what depends on a PAL's size alone. */
struct tv_work {
    uint64_t ticks, count; /* atomic */
};

struct tv {
    struct tv_config config;
    struct tv_registry registry;
    struct tv_context context[CONFIG_MAX_PALS]; /* of registry.pal[] with the same index */
    struct tv_cpu cpu[CONFIG_MAX_CPUS];
    struct tv_platform platform; /* no secrets until tv_set_root() */
    struct tv_work measuring, wiping;
    /* Atomic: PALs made, ended by an error, removed because the OS took memory; accesses refused.
     */
    uint64_t registrations, calls_ended, taken, refusals;
};

/* Boot CPU, before the guest runs. */
void tv_init(struct tv *tv, const struct tv_config *config);

/*
 * Boot CPU, after tv_init().  Without a call, and after tv_wipe_all(), what needs keys ends in
 * TV_ERROR_NO_ROOT.  debug: quotes say so.  The caller wipes secret.
 */
void tv_set_root(struct tv *tv, enum tv_root_source source, bool debug,
                 const uint8_t secret[TV_ROOT_BYTES]);

/* A root secret for this boot alone.  TV_ERROR_NO_ENTROPY: there is no root. */
enum tv_error tv_set_random_root(struct tv *tv, bool debug);

/*
 * Boot CPU, after the root is set: whose the NV memory is (PCR 0: 20 bytes SHA-1, 32 bytes SHA-256,
 * 0: nobody's), and what is in it: blob of an earlier boot (TV_NV_EXPORT) or NULL for zeros.
 * TV_ERROR_BLOB_FORMAT, _CHANGED (or of another root), _NO_ROOT: zeros.
 */
enum tv_error tv_set_nv(struct tv *tv, unsigned owner_bytes, const uint8_t *owner,
                        const uint8_t *blob);

struct tv_cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

/* Answers TV_CPUID_LEAF for the loaded vCPU; false for an ecx that is not ours: let the guest have
 * what the CPU says. */
bool tv_cpuid(const struct tv *tv, const struct vcpu *vcpu, uint32_t ecx,
              struct tv_cpuid_result *result);

/* VMCALL of the guest: does the hypercall and stores its result in RAX, or enters a PAL. */
void tv_hypercall(struct tv *tv, struct vcpu *vcpu);

/* An access that the guest's nested map refused. */
struct tv_access {
    struct gpa gpa;
    uint64_t linear;
    bool has_linear; /* linear is valid */
    bool is_table;   /* the access was to a paging structure, for linear */
    bool write, execute;
};

/*
 * An entry into a PAL, or an access to PAL memory that gets its answer.  false: the page has
 * nothing to do with PALs.
 */
bool tv_violation(struct tv *tv, struct vcpu *vcpu, const struct tv_access *access);

/*
 * The isolated vCPU of this CPU, loaded, stopped.  false: the hypapp is to emulate CPUID for it
 * (VCPU_STOP_CPUID).
 */
bool tv_isolated_stop(struct tv *tv, struct vcpu *isolated, const struct vcpu_stop *stop);

/* Wipes and ends every PAL: before the machine is reset or powered off.  Other CPUs may run. */
void tv_wipe_all(struct tv *tv, unsigned cpu);

#endif
