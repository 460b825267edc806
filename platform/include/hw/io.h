/*
 * Port I/O.  Any CPU, no lock: whoever shares a device serialises it.  bytes is 1, 2 or 4.
 */
#ifndef HW_IO_H
#define HW_IO_H

#include <stdint.h>

uint32_t hw_io_read(uint16_t port, unsigned bytes);
void hw_io_write(uint16_t port, unsigned bytes, uint32_t value);

#endif
