/*
 * Copying a few words between our memory and a guest's, which other CPUs can change meanwhile: each
 * byte is accessed once, by a loop that is inlined.  For many bytes there is <hw/mem.h>.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((aligned(1), may_alias)) copy_word;

static inline void copy_once(void *to, const void *from, size_t bytes)
{
    copy_word *word = to;
    const volatile copy_word *source = from;
    for (copy_word *end = word + bytes / sizeof(*word); word != end;) {
        *word++ = *source++;
    }
    uint8_t *byte = (uint8_t *)word;
    const volatile uint8_t *rest = (const volatile uint8_t *)source;
    for (uint8_t *end = byte + bytes % sizeof(*word); byte != end;) {
        *byte++ = *rest++;
    }
}

#endif
