/* Inside libnacre: a PAL in this process, with libtv's own micro-TPM. */
#ifndef SDK_SIMULATION_H
#define SDK_SIMULATION_H

#include <nacre/pal_file.h>

/* One PAL at a time; whoever calls serialises. */

/*
 * Measures the PAL whose pages are where the description says, with param and stack sections of
 * zeros, and gives it a hook for its services.  Errors of parameters as of TV_PAL_REGISTER.
 */
enum tv_error pal_simulation_begin(const struct pal_description *description, void *param,
                                   void *stack, uint8_t measurement[32]);
/* Runs it on its own stack.  TV_ERROR_PARAM_COUNT. */
enum tv_error pal_simulation_call(const uintptr_t *arguments, unsigned count, uint64_t *result);
/* Wipes DATA; PARAM and STACK are the caller's to unmap. */
void pal_simulation_end(void);

#endif
