/* Output, memory and numbers. */
#ifndef PROBE_LIB_H
#define PROBE_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
bool same(const char *a, const char *b);

void console_init(void);
/* Conversions: %s %d %u %x %llu %llx. Safe on every CPU. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
void print_list(const char *format, __builtin_va_list list);

/* A repeatable sequence (xorshift); the command line's seed= starts it. */
void random_seed(uint64_t seed);
uint64_t random_next(void);

/* On Bochs a tick is an instruction of the boot CPU. */
void delay(uint64_t tsc_ticks);

/* Through the FADT; Bochs's port if there is none. */
_Noreturn void power_off(void);

#endif
