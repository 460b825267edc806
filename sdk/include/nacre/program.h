/*
 * For the Linux program that has a PAL in it: register it, call it, give it up.  Needs a C library.
 *
 * A program has one PAL, of which nacre-pal-cc has made an object file; pal_description is in it.
 * Any thread may call these functions at any time, and in any order: what comes too early or too
 * late is an error.  The library owns all memory of the PAL; arguments are the caller's.
 *
 * With PAL_SIMULATION=1 in the environment the PAL runs in this process, without Nacre and without
 * protection: same bytes, same measurement, same services, but under a root secret that everybody
 * knows, as its quotes say.  Without it, and without a TrustVisor, there is TV_ERROR_ABSENT.
 */
#ifndef NACRE_PROGRAM_H
#define NACRE_PROGRAM_H

#include <nacre/nacre.h>
#include <nacre/pal_file.h>

extern const struct pal_description pal_description; /* of this program's PAL */

struct pal; /* a registered one; the library's */

/*
 * TV_ERROR_ABSENT; TV_ERROR_PAL_FILE: the program was not linked as sdk/README.md says;
 * TV_ERROR_PAL_DUPLICATE: it is registered already; TV_ERROR_SYSTEM: no (locked) memory, see errno;
 * and what TV_PAL_REGISTER returns.  After an error *pal is NULL.
 */
enum tv_error pal_register(const struct pal_description *description, struct pal **pal);

/*
 * PAL_CALL(pal, &result, ...): calls the PAL with up to ten arguments, integers and pointers as
 * PAL() in its source declares them; *result is what it returns, 0 after an error.  Errors are
 * those of TV_PAL_CALL; TV_ERROR_NO_SUCH_PAL: it is not registered (any more).  A pointer to no
 * memory raises SIGSEGV, as it would in memcpy().
 */
#define PAL_CALL(pal, result, ...)                                                                 \
    pal_call(pal, result, (const uintptr_t[]){PAL_WORDS(__VA_ARGS__)}, PAL_COUNT(__VA_ARGS__))
enum tv_error pal_call(struct pal *pal, uint64_t *result, const uintptr_t *arguments,
                       unsigned count);

/* The vector of the exception that ended the PAL, after TV_ERROR_PAL_FAULT. */
uint32_t pal_vector(const struct pal *pal);

/* Wipes the PAL.  TV_ERROR_NO_SUCH_PAL; TV_ERROR_PAL_BUSY: a thread is calling it. */
enum tv_error pal_unregister(struct pal *pal);

/* The SHA-256 identity, as the hypervisor (or the simulation) measured it; 32 bytes. */
const uint8_t *pal_measurement(const struct pal *pal);

bool pal_is_simulated(const struct pal *pal);

/* How PAL_CALL() makes words of its arguments. */
#define PAL_PICK(a, b, c, d, e, f, g, h, i, j, k, count, ...) count
#define PAL_COUNT(...) PAL_PICK(0, ##__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define PAL_JOIN_(a, b) a##b
#define PAL_JOIN(a, b) PAL_JOIN_(a, b)
#define PAL_WORDS(...) PAL_JOIN(PAL_WORDS_, PAL_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define PAL_WORDS_0() 0
#define PAL_WORDS_1(a) (uintptr_t)(a)
#define PAL_WORDS_2(a, ...) (uintptr_t)(a), PAL_WORDS_1(__VA_ARGS__)
#define PAL_WORDS_3(a, ...) (uintptr_t)(a), PAL_WORDS_2(__VA_ARGS__)
#define PAL_WORDS_4(a, ...) (uintptr_t)(a), PAL_WORDS_3(__VA_ARGS__)
#define PAL_WORDS_5(a, ...) (uintptr_t)(a), PAL_WORDS_4(__VA_ARGS__)
#define PAL_WORDS_6(a, ...) (uintptr_t)(a), PAL_WORDS_5(__VA_ARGS__)
#define PAL_WORDS_7(a, ...) (uintptr_t)(a), PAL_WORDS_6(__VA_ARGS__)
#define PAL_WORDS_8(a, ...) (uintptr_t)(a), PAL_WORDS_7(__VA_ARGS__)
#define PAL_WORDS_9(a, ...) (uintptr_t)(a), PAL_WORDS_8(__VA_ARGS__)
#define PAL_WORDS_10(a, ...) (uintptr_t)(a), PAL_WORDS_9(__VA_ARGS__)

#endif
