/* Port I/O and the ways to reset a PC. */
#include <hw/io.h>

#include "machine.h"

#include <base/check.h>
#include <hw/cpu.h>

uint32_t hw_io_read(uint16_t port, unsigned bytes)
{
    uint32_t value = 0;
    if (bytes == 1) {
        __asm__ volatile("inb %w1, %b0" : "+a"(value) : "Nd"(port) : "memory");
    } else if (bytes == 2) {
        __asm__ volatile("inw %w1, %w0" : "+a"(value) : "Nd"(port) : "memory");
    } else {
        CHECK(bytes == 4);
        __asm__ volatile("inl %w1, %0" : "+a"(value) : "Nd"(port) : "memory");
    }
    return value;
}

void hw_io_write(uint16_t port, unsigned bytes, uint32_t value)
{
    if (bytes == 1) {
        __asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"(port) : "memory");
    } else if (bytes == 2) {
        __asm__ volatile("outw %w0, %w1" : : "a"(value), "Nd"(port) : "memory");
    } else {
        CHECK(bytes == 4);
        __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port) : "memory");
    }
}

#define PORT_KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE_RESET 0xfe
#define PORT_RESET_CONTROL 0xcf9

_Noreturn void hw_reset(void)
{
    hw_io_write(PORT_RESET_CONTROL, 1, 0x02);
    hw_io_write(PORT_RESET_CONTROL, 1, 0x06);
    hw_delay_us(50000);
    hw_io_write(PORT_KEYBOARD_COMMAND, 1, KEYBOARD_PULSE_RESET);
    hw_delay_us(50000);
    machine_triple_fault();
}
