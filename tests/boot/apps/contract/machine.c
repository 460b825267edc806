/* Tables for isolated code, made by hand: nothing of libept or libtv is needed. */
#include "isolated.h"

#include <base/log.h>
#include <hw/cpu.h>
#include <hw/mem.h>

/* Pages of the scratch memory; those of the isolated code have the same numbers as its own
 * guest-physical pages. */
enum page {
    VMXON,
    GUEST_VMCS,
    ISOLATED_VMCS,
    VECTOR_AREA,
    MSR_BITMAP,
    IO_BITMAP_A,
    IO_BITMAP_B,
    EPT_PML4,
    EPT_PDPT,
    EPT_PD,
    EPT_PT,
    PML4,
    PDPT,
    PD,
    PT,
    CODE,
    DATA,
    PAGE_COUNT
};
_Static_assert(PAGE_COUNT *PAGE_BYTES <= ISOLATED_SCRATCH_BYTES, "pages for the checks");

#define EPT_RWX 7
#define EPT_MEMORY_WRITE_BACK (6 << 3)
#define EPT_POINTER_4_LEVELS (3 << 3 | 6)
#define PAGING_PRESENT_WRITE 3
#define PAGING_USER 4

static struct hpa page(const struct isolated_machine *on, enum page number)
{
    return hpa(on->scratch.v + number * PAGE_BYTES);
}

static void set(const struct isolated_machine *on, enum page table, unsigned index, uint64_t entry)
{
    hw_phys_write64(hpa(page(on, table).v + 8 * index), entry);
}

/* Guest-physical pages are the numbers above: tables, code and data, and nothing else. */
static void make_nested_tables(const struct isolated_machine *on)
{
    set(on, EPT_PML4, 0, page(on, EPT_PDPT).v | EPT_RWX);
    set(on, EPT_PDPT, 0, page(on, EPT_PD).v | EPT_RWX);
    set(on, EPT_PD, 0, page(on, EPT_PT).v | EPT_RWX);
    for (unsigned number = PML4; number <= DATA; number++) {
        set(on, EPT_PT, number, page(on, (enum page)number).v | EPT_RWX | EPT_MEMORY_WRITE_BACK);
    }
}

static void make_page_tables(const struct isolated_machine *on)
{
    const uint64_t rights = PAGING_PRESENT_WRITE | PAGING_USER;
    set(on, PML4, 0, PDPT * PAGE_BYTES | rights);
    set(on, PDPT, 0, PD * PAGE_BYTES | rights);
    set(on, PD, 2, PT * PAGE_BYTES | rights); /* 4 MiB */
    set(on, PT, 0, CODE * PAGE_BYTES | rights);
    set(on, PT, 1, DATA * PAGE_BYTES | rights);
    set(on, PT, 2, DATA * PAGE_BYTES | PAGING_PRESENT_WRITE);
    set(on, PT, 3, PAGE_COUNT * PAGE_BYTES | rights);
}

bool isolated_open(const struct contract_machine *machine, struct isolated_machine *on)
{
    on->scratch = machine->scratch;
    on->cr0 = hw_read_cr0();
    on->cr4 = hw_read_cr4();
    vmx_caps_read(&on->caps);
    struct vmx_config config = {
        .caps = &on->caps,
        .msr_bitmap = page(on, MSR_BITMAP),
        .io_bitmap_a = page(on, IO_BITMAP_A),
        .io_bitmap_b = page(on, IO_BITMAP_B),
        .ept_pointer = page(on, EPT_PML4).v | EPT_POINTER_4_LEVELS,
        .vpid = 1,
    };
    make_nested_tables(on);
    make_page_tables(on);
    return vmx_cpu_enable(&on->caps, page(on, VMXON)) == STATUS_OK &&
           vmx_vcpu_init(&on->guest, 0, &config, page(on, GUEST_VMCS)) == STATUS_OK &&
           hw_invept(HW_INVEPT_ALL_CONTEXTS, 0) == HW_VMX_OK &&
           vmx_vcpu_init_isolated(&on->isolated, &on->guest, &config, page(on, ISOLATED_VMCS),
                                  hw_region_pointer(page(on, VECTOR_AREA), PAGE_BYTES)) ==
               STATUS_OK;
}

bool isolated_close(struct isolated_machine *on)
{
    bool ok = hw_vmclear(page(on, ISOLATED_VMCS)) == HW_VMX_OK &&
              hw_vmclear(page(on, GUEST_VMCS)) == HW_VMX_OK && vmx_cpu_disable() == STATUS_OK;
    hw_write_cr4(on->cr4);
    hw_write_cr0(on->cr0);
    return ok;
}

void isolated_start(struct isolated_machine *on, enum vcpu_width width, bool vector,
                    const uint8_t *code, unsigned bytes)
{
    uint8_t *to = hw_region_pointer(page(on, CODE), PAGE_BYTES);
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = code[i];
    }
    on->start = (struct vcpu_isolated_start){
        .width = width,
        .vector = vector,
        .cr3 = PML4 * PAGE_BYTES,
        .nested_root = page(on, EPT_PML4).v | EPT_POINTER_4_LEVELS,
        .rip = ISOLATED_CODE,
        .rsp = ISOLATED_STACK,
    };
    vcpu_isolated_start(&on->isolated, &on->start);
}

/* Reason 99: it did not stop by an exit. */
struct vcpu_stop isolated_run(struct isolated_machine *on)
{
    struct vmx_exit exit;
    struct vcpu_stop stop = {.reason = (enum vcpu_stop_reason)99};
    enum vmx_run result = vmx_vcpu_run(&on->isolated, &exit);
    if (result != VMX_RUN_EXIT) {
        log_error("contract: VM entry: result %u, VM-instruction error %u", (unsigned)result,
                  result == VMX_RUN_FAILED ? exit.instruction_error : 0);
        return stop;
    }
    if (exit.entry_failed) {
        log_error("contract: VM entry refuses the guest state, qualification %u",
                  (unsigned)exit.qualification);
        return stop;
    }
    vmx_isolated_stop(&exit, &stop);
    log_debug("contract: exit %s, stop %u, vector %u, error code %x, rip %llx",
              vmx_exit_reason_text(exit.reason), (unsigned)stop.reason, stop.vector,
              (unsigned)stop.error_code, (unsigned long long)vcpu_rip(&on->isolated));
    return stop;
}

void isolated_end(struct isolated_machine *on)
{
    vcpu_isolated_end(&on->isolated, &on->guest);
}
