/* The console behind base_log_sink() and the panic report. */
#ifndef X86_CONSOLE_H
#define X86_CONSOLE_H

#include <stddef.h>

/* Without the lock: for the one CPU that is left in a panic. */
void console_write_unlocked(const char *text, size_t bytes);

#endif
