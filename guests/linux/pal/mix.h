/* Parameters in any mix (REQ-PAL-2). */
#ifndef PAL_MIX_H
#define PAL_MIX_H

#include <stdint.h>

/* Registers a PAL with 0 to 10 integers and pointers of random sizes, and calls it twice. */
void mix_check(uint32_t *state);

#endif
