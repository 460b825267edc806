/* Inside libnacre: the memory of a simulated PAL, for libtv. */
#ifndef SDK_SIMULATION_MEMORY_H
#define SDK_SIMULATION_MEMORY_H

#include "simulation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/memory.h>

struct simulation_section {
    uintptr_t start;
    size_t bytes;
    bool writable; /* by the PAL */
};

enum { SIMULATION_CODE, SIMULATION_DATA, SIMULATION_PARAM, SIMULATION_STACK, SIMULATION_SECTIONS };

struct tv_memory {
    unsigned count;
    struct simulation_section section[SIMULATION_SECTIONS]; /* in the order of registration */
};

#endif
