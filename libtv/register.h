/*
 * The hypercalls that make and remove PALs, for a caller that passed tv_caller_check() and whose
 * memory tv_caller_memory() has set up in its CPU's struct tv_cpu.
 */
#ifndef LIBTV_REGISTER_H
#define LIBTV_REGISTER_H

#include "context.h"

enum tv_error tv_register_old(struct tv *tv, struct vcpu *vcpu);
enum tv_error tv_unregister_old(struct tv *tv, struct vcpu *vcpu);
enum tv_error tv_share(struct tv *tv, struct vcpu *vcpu);
enum tv_error tv_register_new(struct tv *tv, struct vcpu *vcpu);
enum tv_error tv_unregister_new(struct tv *tv, struct vcpu *vcpu);

/* The PAL with this number if it belongs to the caller's process; else NULL. */
const struct tv_pal *tv_find_number(struct tv *tv, const struct tv_memory *memory, uint64_t id);

#endif
