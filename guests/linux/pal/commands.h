/* The sub-commands of pal. Each returns when everything held; arguments as in argv, from its own.
 */
#ifndef PAL_COMMANDS_H
#define PAL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

void command_demo(int count, char *const arguments[]);
void command_basic(int count, char *const arguments[]);
void command_errors(int count, char *const arguments[]);
void command_faults(int count, char *const arguments[]);
void command_many(int count, char *const arguments[]);
void command_storm(int count, char *const arguments[]);
void command_vector(int count, char *const arguments[]);
void command_new(int count, char *const arguments[]);
void command_death(int count, char *const arguments[]);
void command_keep(int count, char *const arguments[]);
void command_back(int count, char *const arguments[]);
void command_bench(int count, char *const arguments[]);

/* Parts of them in files of their own. */
void bench_report(const char *name, uint64_t *ticks, unsigned count); /* sorts them */
void bench_concurrent(unsigned calls);
void bench_tpm(unsigned number);
void new_identity(void);
void new_services(void);
void death_of_the_curious(void);

/* The argument's number, or otherwise if there is none. */
unsigned argument_number(int count, char *const arguments[], int index, unsigned otherwise);
bool same_text(const char *a, const char *b);

#endif
