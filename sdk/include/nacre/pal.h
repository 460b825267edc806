/*
 * For the C file that becomes a PAL (NAME.pal.c, compiled by nacre-pal-cc): what it is, and what it
 * can ask the hypervisor for.
 *
 * All that such a file has, and what it uses of this library, becomes the PAL's memory; nothing
 * else of the program is there.  There is no C library but memcpy(), memmove(), memset() and
 * memcmp(), no system call, no thread-local variable; of BearSSL there are SHA-256, HMAC, HMAC-DRBG
 * and ECDSA on P-256.  Variables keep their values from call to call while the PAL is registered.
 */
#ifndef NACRE_PAL_H
#define NACRE_PAL_H

#include <nacre/pal_file.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

/* To change one, define it before this header is included. */
#ifndef PAL_STACK_PAGES
#define PAL_STACK_PAGES 4 /* of 4 KiB; ECDSA needs three */
#endif
#ifndef PAL_PARAM_PAGES
#define PAL_PARAM_PAGES 4 /* all pointer parameters' bytes and 24 bytes a parameter */
#endif
#ifndef PAL_FLAGS
#define PAL_FLAGS 0 /* TV_PAL_VECTOR, with nacre-pal-cc --vector */
#endif

/* Parameters: a word, or memory of so many bytes that goes in, out, or both ways. */
#define PAL_INTEGER                                                                                \
    {                                                                                              \
        TV_PARAM_INTEGER, 0, 0                                                                     \
    }
#define PAL_IN(bytes)                                                                              \
    {                                                                                              \
        TV_PARAM_POINTER, TV_IN, bytes                                                             \
    }
#define PAL_OUT(bytes)                                                                             \
    {                                                                                              \
        TV_PARAM_POINTER, TV_OUT, bytes                                                            \
    }
#define PAL_IN_OUT(bytes)                                                                          \
    {                                                                                              \
        TV_PARAM_POINTER, TV_IN_OUT, bytes                                                         \
    }

/* PAL(function, parameters ...): once in the program.  The function returns a word or nothing. */
#define PAL(function, ...)                                                                         \
    const struct pal_description pal_description                                                   \
        __attribute__((section(".pal_descriptor"), used)) = {                                      \
            .magic = PAL_FILE_MAGIC,                                                               \
            .version = PAL_FILE_VERSION,                                                           \
            .flags = PAL_FLAGS,                                                                    \
            .word_bytes = sizeof(void *),                                                          \
            .parameter_count = sizeof((struct tv_pal_parameter[]){__VA_ARGS__}) /                  \
                               sizeof(struct tv_pal_parameter),                                    \
            .entry = {(const void *)(function)},                                                   \
            .code_start = {pal_code_start},                                                        \
            .code_end = {pal_code_end},                                                            \
            .data_start = {pal_data_start},                                                        \
            .data_end = {pal_data_end},                                                            \
            .hook = {&pal_service_hook},                                                           \
            .param_pages = PAL_PARAM_PAGES,                                                        \
            .stack_pages = PAL_STACK_PAGES,                                                        \
            .name = #function,                                                                     \
            .parameter = {__VA_ARGS__}}
extern const char pal_code_start[], pal_code_end[], pal_data_start[], pal_data_end[]; /* linker's */
extern pal_hook *volatile pal_service_hook;

/* The micro-TPM (docs/pal-interface.md).  Any memory given must be the PAL's: its variables, stack,
 * parameters. Errors are those that the numbers named have. */

/* TV_RANDOM: at most TV_RANDOM_MAX bytes, all of them or none. */
enum tv_error pal_random(void *to, uint32_t bytes);

/* TV_PCR_READ, TV_PCR_EXTEND */
enum tv_error pal_pcr_read(uint32_t index, uint8_t value[32]);
enum tv_error pal_pcr_extend(uint32_t index, const uint8_t digest[32]);

/*
 * TV_SEAL_DATA, to this PAL alone: only it can unseal, after a reboot too where the root secret
 * lasts.  blob has room for PAL_SEALED_BYTES(bytes); at most 1856 bytes.
 */
#define PAL_SEALED_BYTES(bytes) ((bytes) + TV_SEALED_OVERHEAD)
enum tv_error pal_seal(const void *data, uint32_t bytes, void *blob);
/* TV_UNSEAL_DATA; *bytes: room at data, then how many there are. */
enum tv_error pal_unseal(const void *blob, uint32_t blob_bytes, void *data, uint32_t *bytes);
/* The same with all that they can: registers, and other PALs. */
enum tv_error pal_seal_as(struct tv_seal *seal);
enum tv_error pal_unseal_as(struct tv_unseal *unseal);

/*
 * TV_QUOTE_PAL: evidence that this PAL, with these registers, was asked with this nonce, and says
 * data (64 bytes, or NULL for zeros).  *bytes: room, TV_EVIDENCE_MAX is enough; then its size.
 */
enum tv_error pal_quote(uint32_t selection, const uint8_t nonce[32], const uint8_t *data,
                        void *evidence, uint32_t *bytes);
/* TV_QUOTE_KEY: the public key for that, TV_QUOTE_KEY_BYTES bytes of DER. */
enum tv_error pal_quote_key(void *key, uint32_t *bytes);

/* TV_NV_READALL, TV_NV_WRITEALL: for the PAL that the boot option nv-owner= names. */
enum tv_error pal_nv_read(uint8_t content[TV_NV_BYTES]);
enum tv_error pal_nv_write(const uint8_t content[TV_NV_BYTES]);

/* Any number, arguments as they are in CX, DX, SI, DI. */
enum tv_error pal_service(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si, uintptr_t di);

/* In a time that does not depend on what is compared. */
bool pal_equal(const void *a, const void *b, size_t bytes);
/* Zeroes what is secret; the compiler cannot leave it out. */
void pal_wipe(void *start, size_t bytes);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *start, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
