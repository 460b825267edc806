/* The sub-commands of pal. Each returns when everything held; arguments as in argv, from its own.
 */
#ifndef PAL_COMMANDS_H
#define PAL_COMMANDS_H

#include <stdbool.h>

void command_basic(int count, char *const arguments[]);
void command_bench(int count, char *const arguments[]);

/* Of bench: bench_concurrent.c. */
void bench_concurrent(unsigned calls);

/* The argument's number, or otherwise if there is none. */
unsigned argument_number(int count, char *const arguments[], int index, unsigned otherwise);
bool same_text(const char *a, const char *b);

#endif
