/*
 * A virtual CPU as hypapps and libtv see it, independent of VMX or SVM.
 *
 * A vCPU belongs to one physical CPU for ever; every call is made on that CPU while the guest is
 * stopped in a VM exit, so no lock is needed.  Its memory belongs to the library that implements
 * it. Nothing here can fail: setters take values that the architecture allows or are CHECKed.
 */
#ifndef VCPU_VCPU_H
#define VCPU_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Encoding order of the instruction set. */
enum vcpu_gpr {
    VCPU_RAX,
    VCPU_RCX,
    VCPU_RDX,
    VCPU_RBX,
    VCPU_RSP,
    VCPU_RBP,
    VCPU_RSI,
    VCPU_RDI,
    VCPU_R8,
    VCPU_R9,
    VCPU_R10,
    VCPU_R11,
    VCPU_R12,
    VCPU_R13,
    VCPU_R14,
    VCPU_R15
};

enum vcpu_seg { VCPU_ES, VCPU_CS, VCPU_SS, VCPU_DS, VCPU_FS, VCPU_GS };

/* How wide the code is that the guest executes now. */
enum vcpu_width { VCPU_16BIT = 2, VCPU_32BIT = 4, VCPU_64BIT = 8 };

unsigned vcpu_cpu(const struct vcpu *vcpu);

uint64_t vcpu_gpr(const struct vcpu *vcpu, enum vcpu_gpr gpr);
void vcpu_set_gpr(struct vcpu *vcpu, enum vcpu_gpr gpr, uint64_t value);
uint64_t vcpu_rip(const struct vcpu *vcpu);
void vcpu_set_rip(struct vcpu *vcpu, uint64_t rip);
uint64_t vcpu_rflags(const struct vcpu *vcpu);
void vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags);
uint64_t vcpu_segment_base(const struct vcpu *vcpu, enum vcpu_seg seg);
uint16_t vcpu_segment_selector(const struct vcpu *vcpu, enum vcpu_seg seg);
enum vcpu_width vcpu_width(const struct vcpu *vcpu);
unsigned vcpu_cpl(const struct vcpu *vcpu);

/* What a walk of the guest's own page tables needs; control registers as the guest sees them.  And
 * vcpu_width(), which depends on them too. */
struct vcpu_paging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags;   /* AC matters for SMAP */
    uint64_t pdpte[4]; /* valid when PAE paging is in use */
    unsigned cpl;
    enum vcpu_width width;
};
void vcpu_paging(const struct vcpu *vcpu, struct vcpu_paging *paging);

/* Steps over the instruction that exited; ends blocking by STI and MOV SS. */
void vcpu_skip_instruction(struct vcpu *vcpu);

/* Injected at the next entry, with the fault's own state (RIP not advanced). */
void vcpu_inject_exception(struct vcpu *vcpu, unsigned vector, bool has_error_code,
                           uint32_t error_code);
void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t linear_address, uint32_t error_code);

/* Root of the nested tables that this vCPU runs on, in the format of the hardware's register. */
void vcpu_set_nested_root(struct vcpu *vcpu, uint64_t root);
uint64_t vcpu_nested_root(const struct vcpu *vcpu);

#endif
