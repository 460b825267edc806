/*
 * CHECK: an invariant of ours, always compiled in.  When it is broken nothing can be trusted, so
 * the platform stops all CPUs, reports and halts (in user-space tests: ends the test).  Never used
 * on anything that a guest, a person or the firmware can influence.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Provided by the platform; callable on any CPU, in any context. */
_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression);

#define CHECK(expression)                                                                          \
    ((expression) ? (void)0 : base_check_failed(__FILE__, __LINE__, #expression))

#endif
