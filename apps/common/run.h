/* The run loop in two parts: run.c for the guest, isolated.c for isolated code.  On its own CPU. */
#ifndef APPS_RUN_H
#define APPS_RUN_H

#include "nacre.h"

/* One entry of isolated code, and what comes of it. */
void run_isolated(struct nacre_cpu *self);

/* After VMX_RUN_NMI and VMX_RUN_FAILED, whoever ran. */
void run_collect_nmi(struct nacre_cpu *self);
void run_entry_refused(const struct nacre_cpu *self, const struct vmx_exit *exit);

#endif
