/* Parts of guest states that state.c and isolated_image.c share. */
#ifndef LIBVMX_SEGMENT_H
#define LIBVMX_SEGMENT_H

#include <vmx/vcpu.h>

/* Numbers of segment registers: enum vcpu_seg, and these. */
#define VMX_SEGMENT_LDTR 6
#define VMX_SEGMENT_TR 7

struct vmx_segment {
    uint16_t selector;
    uint32_t base, limit, rights;
};

/* Their fields lie two encodings apart. */
void vmx_image_add_segment(struct vmx_image *image, unsigned index, struct vmx_segment segment);

/* Translations of the guest's former life do not outlive it. */
void vmx_vcpu_flush_translations(const struct vcpu *vcpu);

#endif
