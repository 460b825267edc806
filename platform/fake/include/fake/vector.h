/*
 * Extended state (x87, SSE, AVX, AVX-512, PKRU, ...) of the fake CPUs: bytes by state component, so
 * that a test sees whose they are.
 *
 * Values are no register contents: a component is as many bytes as CPUID.(0DH) says, all zero in
 * its initial state.  MXCSR is kept apart, as XRSTOR does.
 */
#ifndef FAKE_VECTOR_H
#define FAKE_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"

/* Numbers of state components (SDM vol. 1, 13.1). */
enum fake_component {
    FAKE_X87,
    FAKE_SSE,
    FAKE_AVX,
    FAKE_BNDREGS,
    FAKE_BNDCSR,
    FAKE_OPMASK,
    FAKE_ZMM_HI256,
    FAKE_HI16_ZMM,
    FAKE_PT, /* supervisor state: not modelled */
    FAKE_PKRU,
    FAKE_COMPONENT_COUNT
};

/* Around all rules: every byte of the component becomes value; and its first byte. */
void fake_vector_fill(unsigned cpu, enum fake_component component, uint8_t value);
uint8_t fake_vector_get(unsigned cpu, enum fake_component component);
/* True if all bytes of it are alike. */
bool fake_vector_is_whole(unsigned cpu, enum fake_component component);
uint32_t fake_mxcsr(unsigned cpu);
void fake_mxcsr_set(unsigned cpu, uint32_t value);
void fake_xcr0_set(unsigned cpu, uint64_t value);

/*
 * A guest's instruction that writes, or reads, registers of this component: false if it raised #UD
 * or #NM, as CR0, CR4 and XCR0 decide.
 */
bool fake_guest_vector_write(struct fake_guest *guest, enum fake_component component,
                             uint8_t value);
bool fake_guest_vector_read(struct fake_guest *guest, enum fake_component component,
                            uint8_t *value);

#endif
