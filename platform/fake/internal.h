/*
 * State of the fake machine and what its files share.  One machine per process.  Each fake CPU's
 * part is touched by the thread that plays this CPU only, except the signal latches (atomics) and
 * what fake_lock() guards: logs, tables of definitions, the list of VMCSs.
 */
#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

#include "vmcs_fields.h"

#include <base/bits.h>
#include <base/check.h>
#include <fake/machine.h>
#include <hw/apic.h>
#include <hw/console.h>
#include <hw/cpu.h>
#include <hw/io.h>
#include <hw/mem.h>
#include <hw/nmi.h>
#include <hw/vmx.h>
#include <hw/xsave.h>
#include <setjmp.h>
#include <stdatomic.h>

/* Control-register bits (SDM "Control Registers") */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_PGE BIT(7)
#define CR4_VMXE BIT(13)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)

#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1bu
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_PAT 0x277u
#define MSR_PERF_GLOBAL_CTRL 0x38fu
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_SECONDARY 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_BNDCFGS 0xd90u
#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define NO_ADDRESS (~0ULL)
#define FAKE_HOST_RIP 0xffffffff80100000ULL
#define APIC_PAGE 0xfee00000ULL

/* VMCS values by width, type and index of the encoding. */
#define VMCS_SLOTS 1024

struct vmcs {
    struct vmcs *next;
    uint64_t address;
    bool launched;
    int cpu; /* on which it is active, -1 = none */
    uint64_t value[VMCS_SLOTS];
    bool written[VMCS_SLOTS];
};

/* A cached translation; linear ones belong to a VPID too. */
struct tlb_entry {
    struct tlb_entry *next;
    bool linear;
    uint16_t vpid;
    uint64_t ept_tag; /* EPTP bits 51:12: what the SDM calls EP4TA; NO_ADDRESS without EPT */
    uint64_t from;    /* page-aligned guest-physical or linear address */
    uint64_t page_bytes;
    uint64_t to;    /* physical address the page starts at: host for both kinds */
    uint64_t gpa;   /* of a linear one: guest-physical page it goes through */
    uint8_t rights; /* R, W, X that EPT grants */
    uint8_t memory_type;
    bool user, writable, executable, dirty; /* of a linear one: what guest paging grants */
};

#define TLB_BUCKETS 1024
#define MSR_MAX 400
#define CPUID_MAX 64
#define DELIVERY_MAX 4096
#define EXIT_REASONS 80
#define FAKE_VECTOR_BYTES 2816 /* through PKRU, with what lies between */
#define APIC_REGS 0x40

struct fake_cpu {
    unsigned index;
    uint32_t apic_id;
    enum fake_cpu_state state;
    int sipi_vector;
    bool broken, prepared, started;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0, dr[8];
    uint64_t msr[MSR_MAX];
    uint8_t vector[FAKE_VECTOR_BYTES]; /* as XSAVE lays it out; MXCSR apart */
    uint32_t mxcsr;
    uint32_t apic[APIC_REGS];

    bool vmxon;
    uint64_t vmxon_region;
    struct vmcs *current;
    const char *entry_error;
    bool in_guest;

    atomic_bool nmi_latch, init_latch;
    atomic_int sipi_latch; /* vector or -1 */
    atomic_uint_least64_t interrupts[4];
    bool nmi_blocked;
    uint64_t nmi_count; /* what the platform's handler has counted */

    fake_guest_fn *guest_fn;
    struct fake_guest guest;
    jmp_buf exit_jump;
    uint64_t fake_linear; /* fake_guest_linear, else NO_ADDRESS */
    uint64_t timer_deadline;
    bool timer_on, mtf_armed;
    uint64_t delivery_stack;
    struct fake_delivery deliveries[DELIVERY_MAX];
    size_t delivery_count;
    uint64_t exits[EXIT_REASONS], exits_all;

    struct tlb_entry *tlb[TLB_BUCKETS];
    size_t tlb_count;
    uint64_t useful, superfluous;
};

struct msr_rule {
    uint32_t msr;
    uint64_t initial, reserved;
    bool read_only, write_only;
};

struct cpuid_entry {
    uint32_t leaf, subleaf, reg[4];
};

struct ram_range {
    uint64_t start, bytes;
    uint32_t type;
    uint8_t *host;
    bool is_image; /* alias of this program's own data: not to be unmapped */
};

struct fake_machine {
    bool ready;
    struct fake_config config;
    unsigned range_count;
    struct ram_range ranges[FAKE_MAX_RANGES + 1];
    uint64_t region_start, image_bytes, scratch_next, scratch_end;
    struct hw_boot_info boot;
    struct fake_cpu cpus[CONFIG_MAX_CPUS];
    unsigned msr_count;
    struct msr_rule msrs[MSR_MAX];
    unsigned cpuid_count;
    uint64_t random; /* hw_random() */
    bool random_stuck;
    struct cpuid_entry cpuid[CPUID_MAX];
    unsigned maxphyaddr; /* as CPUID says; the walkers ask for it at every step */
    struct vmcs *vmcss;
    atomic_uint_least64_t tsc;
    atomic_uint_least64_t threads; /* that have called fake_select_cpu since the reset */
    bool ap_begun;
};

extern struct fake_machine fake_m;

void fake_lock(void);
void fake_unlock(void);

/* The CPU of the calling thread; ends with a trap if it is not running. */
struct fake_cpu *fake_this(void);
struct fake_cpu *fake_cpu(unsigned cpu); /* any; index CHECKed */

/* Endings */
_Noreturn __attribute__((format(printf, 2, 3))) void fake_end(enum fake_ending ending,
                                                              const char *format, ...);
#define fake_trap(...) fake_end(FAKE_END_TRAP, __VA_ARGS__)
/* A test that uses the fake wrongly: prints and aborts whatever was expected. */
_Noreturn __attribute__((format(printf, 1, 2))) void fake_misuse(const char *format, ...);

/* Counts the call; true when this one has to fail, with the result to give. */
bool fake_enter(enum fake_call call, int *result);
void fake_count(enum fake_call call); /* of a call that cannot fail */

/* Memory */
void *fake_backing(uint64_t address, uint64_t bytes); /* any backed memory, one range */
uint64_t fake_read64(uint64_t address); /* as the walkers do: all ones if not backed */
void fake_log_write(uint64_t address, uint64_t old_value, uint64_t new_value);
void fake_ram_reset(void);
void fake_writes_reset(void);
void fake_mmio_reset(void);
uint32_t fake_mmio_access(uint64_t address, bool is_write, uint32_t value);
bool fake_is_apic_page(uint64_t address);

/* CPU */
void fake_model_build(enum fake_model model);
void fake_cpu_reset_state(struct fake_cpu *cpu, bool power_on);
void fake_cpu_long_mode(struct fake_cpu *cpu); /* as the platform's start code leaves it */
struct hw_cpuid fake_cpuid_of(struct fake_cpu *cpu, uint64_t cr4, uint32_t leaf, uint32_t subleaf);
unsigned fake_maxphyaddr(void);
bool fake_is_physical(uint64_t address, uint64_t alignment);
bool fake_is_canonical(uint64_t address);
bool fake_cpu_rdmsr(struct fake_cpu *cpu, uint32_t msr, uint64_t *value);
bool fake_cpu_wrmsr(struct fake_cpu *cpu, uint32_t msr, uint64_t value);
bool fake_cpu_xsetbv(struct fake_cpu *cpu, uint32_t index, uint64_t value);
void fake_vector_reset(struct fake_cpu *cpu);
bool fake_pat_valid(uint64_t value);
int fake_msr_slot(uint32_t msr);                                 /* -1 = none */
uint64_t fake_msr_raw(const struct fake_cpu *cpu, uint32_t msr); /* 0 if it does not exist */
void fake_msr_raw_set(struct fake_cpu *cpu, uint32_t msr, uint64_t value);
/* Says why these control registers could not be loaded, NULL if they can (CR0.PG etc.). */
const char *fake_cr0_error(uint64_t cr0);
const char *fake_cr4_error(uint64_t cr4);
uint64_t fake_cr4_supported(void);
bool fake_cr_vmx_fixed(unsigned cr, uint64_t value, uint64_t exempt);
void fake_time_reset(void);
void fake_tick(uint64_t cycles);

/* APIC and signals */
void fake_apic_reset(struct fake_cpu *cpu);
bool fake_apic_msr_read(struct fake_cpu *cpu, uint32_t msr, uint64_t *value);
bool fake_apic_msr_write(struct fake_cpu *cpu, uint32_t msr, uint64_t value);
uint32_t fake_apic_mmio(struct fake_cpu *cpu, uint64_t address, bool is_write, uint32_t value);
void fake_apic_ipi(struct fake_cpu *from, uint64_t icr, bool by_guest);
void fake_events_reset(void);
void fake_poll(struct fake_cpu *cpu); /* an instruction boundary in root operation */
void fake_run_pause_hook(void);
bool fake_alone(void); /* only one thread plays CPUs */

/* VMX */
unsigned vmcs_slot(uint32_t field);
unsigned vmcs_width(uint32_t field); /* bytes */
bool vmcs_field_exists(uint32_t field);
uint64_t vmcs_get(const struct vmcs *vmcs, uint32_t field);
void vmcs_set(struct vmcs *vmcs, uint32_t field, uint64_t value);
void vmcs_reset(void);
struct vmcs *vmcs_find(uint64_t address);
enum hw_vmx_result vmx_fail(struct fake_cpu *cpu, unsigned error);
uint32_t vmx_allowed0(enum fake_controls controls);
uint32_t vmx_allowed1(enum fake_controls controls);
uint32_t vmx_secondary(const struct vmcs *vmcs); /* 0 unless activated */

/* Each gives the first rule broken, or NULL; *qualification as VM-entry failures store it. */
const char *check_controls(struct fake_cpu *cpu, const struct vmcs *vmcs);
const char *check_controls_misc(const struct vmcs *vmcs);
const char *check_host(struct fake_cpu *cpu, const struct vmcs *vmcs);
const char *check_guest_cr(const struct vmcs *vmcs);
const char *check_guest_segments(const struct vmcs *vmcs);
const char *check_guest_state(const struct vmcs *vmcs, uint64_t *qualification);
const char *check_guest_pdptes(const struct vmcs *vmcs);

/* Entry and exit */
struct exit_info {
    uint32_t reason;
    uint64_t qualification;
    uint32_t interruption, error_code;
    uint32_t idt_vectoring, idt_error_code;
    uint32_t instruction_length, instruction_information;
    uint64_t linear, physical;
    bool has_length, has_linear, has_physical;
};
void entry_load_guest(struct fake_cpu *cpu);
bool entry_load_msrs(struct fake_cpu *cpu, uint64_t list, uint64_t count, uint64_t *failed);
void exit_save_guest(struct fake_cpu *cpu);
void exit_load_host(struct fake_cpu *cpu);
void exit_store_info(struct fake_cpu *cpu, const struct exit_info *info);
_Noreturn void guest_leave(struct fake_cpu *cpu, const struct exit_info *info);
/* Boundary between two guest instructions: signals, windows, timer; exits or delivers. */
void guest_boundary(struct fake_cpu *cpu);
/* Around each instruction: events before it; RIP, blocking and MTF after it. */
struct fake_cpu *guest_begin(struct fake_guest *guest);
void guest_retire(struct fake_cpu *cpu, uint32_t instruction_bytes);
_Noreturn void guest_instruction_exit(struct fake_cpu *cpu, uint32_t reason, uint64_t qualification,
                                      uint32_t instruction_bytes);
unsigned guest_cpl(struct fake_cpu *cpu);
uint64_t guest_register(struct fake_cpu *cpu, enum hw_gpr gpr);
void guest_register_set(struct fake_cpu *cpu, enum hw_gpr gpr, uint64_t value);
/* #GP(0), #UD, #PF as the guest raises them: exit by the exception bitmap, or false. */
bool guest_fault(struct fake_cpu *cpu, unsigned vector, bool has_error_code, uint32_t error_code,
                 uint64_t linear_address);
void guest_wait(struct fake_cpu *cpu);
void guest_deliver(struct fake_cpu *cpu, uint32_t interruption, uint32_t error_code, bool injected);
uint64_t guest_field(struct fake_cpu *cpu, uint32_t field);
void guest_field_set(struct fake_cpu *cpu, uint32_t field, uint64_t value);

/* EPT and caches */
/* Sets accessed (and dirty) flags along the way, where the EPT pointer asks for them. */
void ept_mark(uint64_t ept_pointer, uint64_t gpa, bool is_write);
/* Host-physical address of a guest access; EPT violations exit.  rights: one of R, W, X. */
#define ACCESS_READ 1u
#define ACCESS_WRITE 2u
#define ACCESS_FETCH 4u
uint64_t guest_translate(struct fake_cpu *cpu, uint64_t gpa, unsigned access, uint64_t linear,
                         bool is_table);
void guest_copy(uint64_t address, void *buffer, size_t bytes, bool is_write);
void tlb_reset(struct fake_cpu *cpu);
const struct tlb_entry *tlb_find(struct fake_cpu *cpu, bool linear, uint16_t vpid, uint64_t ept_tag,
                                 uint64_t address);
void tlb_add(struct fake_cpu *cpu, const struct tlb_entry *entry);
bool tlb_is_stale(const struct tlb_entry *entry);
/* Drops all for which the filter says so; gives how many of them were stale. */
typedef bool tlb_filter(const struct tlb_entry *entry, const void *arg);
size_t tlb_drop(struct fake_cpu *cpu, tlb_filter *filter, const void *arg);
void tlb_drop_linear(struct fake_cpu *cpu, uint16_t vpid);
uint16_t guest_vpid(const struct fake_cpu *cpu);
uint64_t guest_ept_tag(const struct fake_cpu *cpu);

#endif
