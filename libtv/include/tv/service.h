/*
 * Services of the micro-TPM, as a PAL asks for them by hypercall: numbers 3 to 5, 7 to 13, 21 to 23
 * and 0x110 to 0x116.
 *
 * One call of tv_service() does one of them on the CPU that the PAL stopped on, without a lock; it
 * reads and writes the PAL's memory through tv_memory_read_of_pal() and its like, each byte once.
 * The SDK's simulation links the same code with memory functions of its own.
 */
#ifndef TV_SERVICE_H
#define TV_SERVICE_H

#include <tv/memory.h>
#include <tv/random.h>
#include <tv/tpm.h>

/* What all PALs share. */
struct tv_platform {
    struct tv_root root;
    uint8_t nv[TV_NV_BYTES]; /* under nv_lock */
    uint32_t nv_lock;
    /* Who may use NV memory: PCR 0 has these bytes. */
    unsigned nv_owner_bytes; /* 20: SHA-1, 32: SHA-256, 0: nobody */
    uint8_t nv_owner[32];
};

/* One call.  Addresses are linear ones of the PAL's. */
struct tv_service {
    struct tv_platform *platform;
    struct tv_memory *memory;
    struct tv_random *random; /* of the CPU */
    struct tv_pcrs *pcrs;     /* of the PAL */
    uint8_t *buffer;          /* TV_SERVICE_BUFFER_BYTES of the CPU's; zero before and after */
    unsigned cpu;
    unsigned word_bytes; /* of the PAL: 4 or 8 */
    uint32_t number;
    uint64_t cx, dx, si, di; /* of a 32-bit PAL the low halves count */
    /* Bytes of each half of the buffer that were used: 0, tv_service() counts in its own copy. */
    size_t input_used, output_used;
};
#define TV_SERVICE_BUFFER_BYTES (2UL * TV_RANDOM_MAX)

/* NV memory as a whole, whoever writes meanwhile. */
void tv_nv_read(struct tv_platform *platform, uint8_t content[TV_NV_BYTES]);
void tv_nv_write(struct tv_platform *platform, const uint8_t content[TV_NV_BYTES]);
/* All of it as a blob; TV_ERROR_NO_ROOT, TV_ERROR_NO_ENTROPY. */
enum tv_error tv_nv_export(struct tv_platform *platform, struct tv_random *random,
                           uint8_t blob[TV_NV_BLOB_BYTES]);

/* A number of the micro-TPM's? */
bool tv_is_service(uint32_t number);

/* A refused call changed nothing, but may have written a part of its output. */
enum tv_error tv_service(const struct tv_service *service);

#endif
