/* Exception handling: fix-up or report. */
#include "traps.h"

#include "percpu.h"

#include <hw/cpu.h>
#include <stddef.h>

extern const struct trap_fixup trap_fixups[], trap_fixups_end[];

#define VECTOR_NMI 2
#define VECTOR_DF 8
#define VECTOR_GP 13
#define VECTOR_PF 14

static const char *const vector_names[32] = {
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound range",
    "#UD invalid opcode",
    "#NM no device",
    "#DF double fault",
    "coprocessor overrun",
    "#TS invalid TSS",
    "#NP segment not present",
    "#SS stack fault",
    "#GP protection",
    "#PF page fault",
    "reserved",
    "#MF x87",
    "#AC alignment",
    "#MC machine check",
    "#XM SIMD",
    "#VE virtualization",
    "#CP control protection",
};

static bool fix_up(struct trap_frame *frame)
{
    for (const struct trap_fixup *fixup = trap_fixups; fixup < trap_fixups_end; fixup++) {
        if (fixup->rip == frame->rip) {
            frame->rip = fixup->landing;
            return true;
        }
    }
    return false;
}

/* A #PF says in CR2 which access it was; so does the #DF of a #PF that found no room to report. */
static void report_fault(const struct trap_frame *frame)
{
    if ((frame->vector == VECTOR_PF || frame->vector == VECTOR_DF) &&
        !report_overflow(hw_read_cr2())) {
        (void)report_overflow(frame->rsp);
    }
    report_stack_of(frame->rip, frame->rsp);
}

static void note_fault(const struct trap_frame *frame)
{
    struct percpu *self = percpu_this();

    self->faulted = 1;
    self->fault_vector = (uint32_t)frame->vector;
    self->fault_rip = frame->rip;
    self->fault_rsp = frame->rsp;
    self->fault_address =
        frame->vector == VECTOR_PF || frame->vector == VECTOR_DF ? hw_read_cr2() : 0;
}

static void report_registers(const struct trap_frame *f)
{
    panic_printf("rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx", (unsigned long long)f->rax,
                 (unsigned long long)f->rbx, (unsigned long long)f->rcx,
                 (unsigned long long)f->rdx);
    panic_printf("rsi=%016llx rdi=%016llx rbp=%016llx rsp=%016llx", (unsigned long long)f->rsi,
                 (unsigned long long)f->rdi, (unsigned long long)f->rbp,
                 (unsigned long long)f->rsp);
    panic_printf("r8 =%016llx r9 =%016llx r10=%016llx r11=%016llx", (unsigned long long)f->r8,
                 (unsigned long long)f->r9, (unsigned long long)f->r10, (unsigned long long)f->r11);
    panic_printf("r12=%016llx r13=%016llx r14=%016llx r15=%016llx", (unsigned long long)f->r12,
                 (unsigned long long)f->r13, (unsigned long long)f->r14,
                 (unsigned long long)f->r15);
    panic_printf("cr0=%llx cr2=%llx cr3=%llx cr4=%llx cs=%llx ss=%llx rflags=%llx",
                 (unsigned long long)hw_read_cr0(), (unsigned long long)hw_read_cr2(),
                 (unsigned long long)hw_read_cr3(), (unsigned long long)hw_read_cr4(),
                 (unsigned long long)f->cs, (unsigned long long)f->ss,
                 (unsigned long long)f->rflags);
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI && trap_panic_cpu != 0) {
        panic_nmi(frame->rip, frame->rsp);
        return;
    }
    if (frame->vector == VECTOR_GP && fix_up(frame)) {
        return;
    }
    note_fault(frame);
    panic_begin(frame->rip, frame->rsp);
    const char *name = frame->vector < 32 ? vector_names[frame->vector] : NULL;
    uint64_t offset = 0;
    const char *symbol = symbol_find(frame->rip, &offset);
    panic_printf("%s in the hypervisor on CPU %u at 0x%llx %s+0x%llx, error code 0x%llx",
                 name != NULL ? name : "exception", hw_this_cpu(), (unsigned long long)frame->rip,
                 symbol != NULL ? symbol : "?", (unsigned long long)offset,
                 (unsigned long long)frame->error_code);
    report_fault(frame);
    report_registers(frame);
    report_backtrace(frame->rip, frame->rsp, frame->rbp);
    panic_finish();
}
