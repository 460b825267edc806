/* x87, SSE and AVX registers while isolated code may use them.  On the vCPU's own CPU. */
#ifndef LIBVMX_VECTOR_H
#define LIBVMX_VECTOR_H

#include <vmx/vcpu.h>

/* area: 4-KiB page, or NULL.  Decides whether isolated code can have vector registers at all. */
void vmx_vector_init(struct vcpu *isolated, void *area);

/* Saves the guest's and gives isolated code initial ones; and back. */
void vmx_vector_begin(struct vcpu *isolated);
void vmx_vector_end(struct vcpu *isolated);

#endif
