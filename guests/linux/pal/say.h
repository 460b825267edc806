/*
 * Lines for the host, and checks: one line ends each sub-command,
 * NACRE-GUEST: pal-NAME ok width=32|64 checks=N, or
 * NACRE-GUEST: pal-NAME failed width=... what=... got=...
 */
#ifndef PAL_SAY_H
#define PAL_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <tv/abi.h>

#define WIDTH ((unsigned)sizeof(void *) * 8)

/* The sub-command, for its lines. */
void say_name(const char *name);
/* NACRE-GUEST: pal-NAME WHAT width=.. NAME=VALUE; no name: nothing more. */
void say(const char *what, const char *name, uint64_t value);
/* NACRE-GUEST: bench NAME FIRST=.. SECOND=.. width=.. */
void say_bench(const char *bench, const char *first, uint64_t first_value, const char *second,
               uint64_t second_value);
/* NACRE-GUEST: pal-NAME kept width=.. NAME=HEX, in as many lines as it takes. */
void say_bytes(const char *name, const uint8_t *from, unsigned bytes);
void say_ok(void);

/* Each counts as a check; if it does not hold, the program says so and ends. Any thread. */
void check(bool holds, const char *what, uint64_t got);
void check_equal(uint64_t got, uint64_t want, const char *what);
void check_error(enum tv_error got, enum tv_error want, const char *what);
/* A number that goes with what is checked now: part of a failure's line. */
void check_round(unsigned round);

#endif
