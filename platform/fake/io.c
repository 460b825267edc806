/* Port I/O and memory-mapped registers. */
#include "internal.h"

#include <stdlib.h>

#define HANDLERS 16
#define SET_PORTS 64

struct io_handler {
    uint16_t first, last;
    fake_io_fn *fn;
    void *arg;
};
struct mmio_handler {
    uint64_t start, bytes;
    fake_mmio_fn *fn;
    void *arg;
};
struct io_value {
    uint16_t port;
    uint32_t value;
};

static struct fake_io *log_entries;
static size_t log_count, log_capacity;
static struct io_handler io_handlers[HANDLERS];
static struct mmio_handler mmio_handlers[HANDLERS];
static struct io_value io_values[SET_PORTS];
static unsigned io_handler_count, mmio_handler_count, io_value_count;

void fake_mmio_reset(void)
{
    free(log_entries);
    log_entries = NULL;
    log_count = log_capacity = 0;
    io_handler_count = mmio_handler_count = io_value_count = 0;
}

void fake_mmio_handler(uint64_t start, uint64_t bytes, fake_mmio_fn *fn, void *arg)
{
    if (mmio_handler_count == HANDLERS) {
        fake_misuse("more than %d MMIO handlers", HANDLERS);
    }
    mmio_handlers[mmio_handler_count++] = (struct mmio_handler){start, bytes, fn, arg};
}

static const struct mmio_handler *handler_at(uint64_t address)
{
    for (unsigned i = 0; i < mmio_handler_count; i++) {
        const struct mmio_handler *handler = &mmio_handlers[i];
        if (address >= handler->start && address - handler->start < handler->bytes) {
            return handler;
        }
    }
    return NULL;
}

uint32_t fake_mmio_access(uint64_t address, bool is_write, uint32_t value)
{
    CHECK(addr_is_aligned(address, 4) && address < CONFIG_MAX_PHYS_BYTES);
    if (fake_is_apic_page(address)) {
        return fake_apic_mmio(fake_this(), address, is_write, value);
    }
    const struct mmio_handler *handler = handler_at(address);
    if (handler) {
        return handler->fn(handler->arg, address, is_write, value);
    }
    uint32_t *word = fake_backing(address, 4);
    if (!word) {
        return ~0u;
    }
    if (is_write) {
        *word = value;
    }
    return *word;
}

uint32_t hw_mmio_read32(struct hpa address)
{
    fake_count(FAKE_MMIO_READ);
    return fake_mmio_access(address.v, false, 0);
}

void hw_mmio_write32(struct hpa address, uint32_t value)
{
    fake_count(FAKE_MMIO_WRITE);
    fake_mmio_access(address.v, true, value);
}

/* Bytes are for devices alone: the APIC's registers are whole words. */
static uint8_t access_byte(uint64_t address, bool is_write, uint8_t value)
{
    CHECK(address < CONFIG_MAX_PHYS_BYTES && !fake_is_apic_page(address));
    const struct mmio_handler *handler = handler_at(address);
    return handler ? (uint8_t)handler->fn(handler->arg, address, is_write, value) : 0xff;
}

uint8_t hw_mmio_read8(struct hpa address)
{
    fake_count(FAKE_MMIO_READ);
    return access_byte(address.v, false, 0);
}

void hw_mmio_write8(struct hpa address, uint8_t value)
{
    fake_count(FAKE_MMIO_WRITE);
    access_byte(address.v, true, value);
}

void fake_io_set(uint16_t port, uint32_t value)
{
    for (unsigned i = 0; i < io_value_count; i++) {
        if (io_values[i].port == port) {
            io_values[i].value = value;
            return;
        }
    }
    if (io_value_count == SET_PORTS) {
        fake_misuse("more than %d ports set", SET_PORTS);
    }
    io_values[io_value_count++] = (struct io_value){port, value};
}

void fake_on_io(uint16_t first, uint16_t last, fake_io_fn *fn, void *arg)
{
    if (io_handler_count == HANDLERS) {
        fake_misuse("more than %d I/O handlers", HANDLERS);
    }
    io_handlers[io_handler_count++] = (struct io_handler){first, last, fn, arg};
}

size_t fake_io_count(void)
{
    return log_count;
}

const struct fake_io *fake_io_at(size_t index)
{
    return index < log_count ? &log_entries[index] : NULL;
}

static uint32_t port_read(uint16_t port, unsigned bytes)
{
    for (unsigned i = 0; i < io_handler_count; i++) {
        const struct io_handler *handler = &io_handlers[i];
        if (port >= handler->first && port <= handler->last) {
            return handler->fn(handler->arg, port, bytes, false, 0);
        }
    }
    for (unsigned i = 0; i < io_value_count; i++) {
        if (io_values[i].port == port) {
            return io_values[i].value;
        }
    }
    return ~0u;
}

static void port_log(uint16_t port, unsigned bytes, bool is_write, uint32_t value)
{
    fake_lock();
    if (log_count == log_capacity) {
        log_capacity = log_capacity ? 2 * log_capacity : 256;
        log_entries = realloc(log_entries, log_capacity * sizeof *log_entries);
        if (!log_entries) {
            fake_misuse("no memory for the log of port I/O");
        }
    }
    log_entries[log_count++] = (struct fake_io){port, (uint8_t)bytes, is_write, value};
    fake_unlock();
}

uint32_t hw_io_read(uint16_t port, unsigned bytes)
{
    fake_count(FAKE_IO_READ);
    CHECK(bytes == 1 || bytes == 2 || bytes == 4);
    uint32_t value = (uint32_t)(port_read(port, bytes) & bits_mask(0, 8 * bytes));
    port_log(port, bytes, false, value);
    return value;
}

void hw_io_write(uint16_t port, unsigned bytes, uint32_t value)
{
    fake_count(FAKE_IO_WRITE);
    CHECK(bytes == 1 || bytes == 2 || bytes == 4);
    value &= (uint32_t)bits_mask(0, 8 * bytes);
    port_log(port, bytes, true, value);
    for (unsigned i = 0; i < io_handler_count; i++) {
        const struct io_handler *handler = &io_handlers[i];
        if (port >= handler->first && port <= handler->last) {
            handler->fn(handler->arg, port, bytes, true, value);
            return;
        }
    }
}
