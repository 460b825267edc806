/*
 * The console: a serial port, port 0xE9, or nothing; set from the command line.  Writing waits for
 * the UART for a bounded time only, so a missing or stuck one cannot hang us (REQ-BOOT-10).
 */
#ifndef HW_CONSOLE_H
#define HW_CONSOLE_H

#include <base/status.h>
#include <stdbool.h>
#include <stdint.h>

struct hw_console_config {
    bool serial;          /* 16550 at serial_port */
    uint16_t serial_port; /* I/O base, 0x3F8 unless told otherwise */
    bool e9;              /* emulators' debug port */
};

/* Boot CPU, before others run. */
void hw_console_configure(const struct hw_console_config *config);

/*
 * From now on the guest drives the same UART: nothing is assumed of its FIFO, and a divisor latch
 * that the guest left open is closed for each line.  Boot CPU, before the guest runs.
 */
void hw_console_share(void);

/* Waits, for a bounded time, until the last byte written has left; before the power goes off. */
void hw_console_flush(void);

/* What happens after a report of a broken invariant: halt (false) or reset (true). */
void hw_panic_reset(bool reset);

#endif
