/* Serial port (16550) and port 0xE9. */
#include "console.h"

#include <base/log.h>
#include <base/spinlock.h>
#include <hw/console.h>
#include <hw/io.h>

#define UART_DATA 0
#define UART_INTERRUPT_ENABLE 1
#define UART_FIFO_CONTROL 2
#define UART_LINE_CONTROL 3
#define UART_MODEM_CONTROL 4
#define UART_LINE_STATUS 5
#define UART_SCRATCH 7
#define LINE_STATUS_THR_EMPTY 0x20
#define LINE_STATUS_ALL_SENT 0x40
#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DLAB 0x80
#define FIFO_BYTES 16
#define PORT_E9 0xe9

/* Polls before a UART counts as stuck; at 115200 baud a FIFO empties in 1.4 ms. */
#define UART_POLLS 100000

static struct hw_console_config config;
static struct spinlock lock;
static unsigned fifo_room;
static bool shared;

static void uart_write(unsigned reg, uint8_t value)
{
    hw_io_write((uint16_t)(config.serial_port + reg), 1, value);
}

static uint8_t uart_read(unsigned reg)
{
    return (uint8_t)hw_io_read((uint16_t)(config.serial_port + reg), 1);
}

/* 115200 8N1, FIFOs on; a port without a UART does not keep the scratch register's value. */
static bool uart_start(void)
{
    uart_write(UART_SCRATCH, 0x5a);
    if (uart_read(UART_SCRATCH) != 0x5a) {
        return false;
    }
    uart_write(UART_INTERRUPT_ENABLE, 0);
    uart_write(UART_LINE_CONTROL, LINE_CONTROL_DLAB | LINE_CONTROL_8N1);
    uart_write(UART_DATA, 1);
    uart_write(UART_INTERRUPT_ENABLE, 0);
    uart_write(UART_LINE_CONTROL, LINE_CONTROL_8N1);
    uart_write(UART_FIFO_CONTROL, 0x01);
    uart_write(UART_MODEM_CONTROL, 0x03);
    return true;
}

void hw_console_configure(const struct hw_console_config *wanted)
{
    config = *wanted;
    fifo_room = 0;
    if (config.serial && !uart_start()) {
        config.serial = false;
    }
}

/* A UART that never gets there is stuck and not waited for again. */
static bool uart_wait(uint8_t status)
{
    for (unsigned polls = 0; polls < UART_POLLS; polls++) {
        if (uart_read(UART_LINE_STATUS) & status) {
            return true;
        }
    }
    config.serial = false;
    return false;
}

static void put_serial(char c)
{
    if (fifo_room == 0) {
        if (!uart_wait(LINE_STATUS_THR_EMPTY)) {
            return;
        }
        fifo_room = shared ? 1 : FIFO_BYTES;
    }
    uart_write(UART_DATA, (uint8_t)c);
    fifo_room--;
}

static void put(char c)
{
    if (config.serial) {
        if (c == '\n') {
            put_serial('\r');
        }
        put_serial(c);
    }
    if (config.e9) {
        hw_io_write(PORT_E9, 1, (uint8_t)c);
    }
}

void console_write_unlocked(const char *text, size_t bytes)
{
    bool latch_open = false;
    uint8_t line_control = 0;

    fifo_room = 0; /* the guest may have written since */
    if (config.serial && shared) {
        line_control = uart_read(UART_LINE_CONTROL);
        latch_open = line_control & LINE_CONTROL_DLAB;
    }
    if (latch_open) {
        uart_write(UART_LINE_CONTROL, line_control & (uint8_t)~LINE_CONTROL_DLAB);
    }
    for (size_t i = 0; i < bytes; i++) {
        put(text[i]);
    }
    if (latch_open) {
        uart_write(UART_LINE_CONTROL, line_control);
    }
}

void hw_console_share(void)
{
    shared = true;
}

void hw_console_flush(void)
{
    if (config.serial) {
        (void)uart_wait(LINE_STATUS_ALL_SENT);
    }
}

void base_log_sink(const char *line, size_t line_bytes)
{
    spinlock_lock(&lock);
    console_write_unlocked(line, line_bytes);
    spinlock_unlock(&lock);
}
