/*
 * A device with the FIFO interface at locality 0, strict: it counts what a driver may not do.  A
 * test says how it misbehaves, and what it answers.
 */
#ifndef TESTS_LIBTPM_TIS_DEVICE_H
#define TESTS_LIBTPM_TIS_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>
#include <string.h>

#define TIS_START 0xfed40000ULL
#define TIS_PAGE 0x1000U

enum tis_state { TIS_IDLE, TIS_READY, TIS_RECEPTION, TIS_EXECUTION, TIS_COMPLETION };

/* What it never does; a bit each. */
enum tis_fault {
    TIS_NEVER_VALID = 1,  /* tpmRegValidSts stays clear */
    TIS_NEVER_GRANTS = 2, /* the locality */
    TIS_NEVER_READY = 4,  /* commandReady stays clear */
    TIS_NEVER_BURSTS = 8, /* the burst count stays 0 */
    TIS_NEVER_EXPECTS = 16,
    TIS_ALWAYS_EXPECTS = 32,
    TIS_NEVER_ANSWERS = 64,
    TIS_VANISHES = 128,    /* all ones from tpmGo on */
    TIS_NEVER_EMPTY = 256, /* more bytes than its response says */
    TIS_STALLS = 512,      /* no burst after the header of a response */
};

struct tis_device {
    bool absent;
    unsigned faults;
    uint32_t interface_id, did_vid;
    unsigned burst, pause; /* the burst count, and how many reads of it say 0 in between */
    unsigned delay;        /* reads of the status until the response is there */

    enum tis_state state;
    bool active;
    unsigned credit, paused, waited;
    uint8_t in[256], out[512];
    size_t in_used, out_used, out_at;
    unsigned misuses, commands, releases;

    /* Fills out and out_used from in and in_used. */
    void (*answer)(struct tis_device *device);
    void *arg;
};

static inline uint32_t tis_size(const uint8_t *bytes)
{
    return (uint32_t)bytes[2] << 24 | (uint32_t)bytes[3] << 16 | (uint32_t)bytes[4] << 8 | bytes[5];
}

static inline bool tis_expects(const struct tis_device *device)
{
    if (device->faults & (TIS_NEVER_EXPECTS | TIS_ALWAYS_EXPECTS)) {
        return (device->faults & TIS_ALWAYS_EXPECTS) != 0;
    }
    return device->state == TIS_RECEPTION &&
           (device->in_used < 6 || device->in_used < tis_size(device->in));
}

static inline unsigned tis_burst(struct tis_device *device)
{
    bool stalls = device->faults & TIS_STALLS && device->out_at >= 10;
    if (device->faults & TIS_NEVER_BURSTS || stalls) {
        return 0;
    }
    if (device->credit == 0 && device->paused++ >= device->pause) {
        device->credit = device->burst;
        device->paused = 0;
    }
    return device->credit;
}

static inline uint32_t tis_status(struct tis_device *device)
{
    uint32_t status = 0x80 | tis_burst(device) << 8;
    if (device->state == TIS_EXECUTION) {
        if (device->faults & TIS_VANISHES) {
            return ~0U;
        }
        if (device->faults & TIS_NEVER_ANSWERS || device->waited++ < device->delay) {
            return status;
        }
        device->out_used = device->out_at = 0;
        device->answer(device);
        device->state = TIS_COMPLETION;
    }
    bool more = device->out_at < device->out_used || device->faults & TIS_NEVER_EMPTY;
    status |= device->state == TIS_READY && !(device->faults & TIS_NEVER_READY) ? 0x40 : 0;
    status |= device->state == TIS_COMPLETION && more ? 0x10 : 0;
    return status | (tis_expects(device) ? 0x08 : 0);
}

static inline void tis_command(struct tis_device *device, uint8_t value)
{
    device->misuses += !device->active;
    if (value == 0x40) {
        device->state = TIS_READY;
        device->in_used = device->credit = device->waited = 0;
    } else if (value == 0x20 && device->state == TIS_RECEPTION) {
        device->state = TIS_EXECUTION;
        device->commands++;
    } else {
        device->misuses++;
    }
}

static inline void tis_write_fifo(struct tis_device *device, uint8_t value)
{
    bool accepts = device->state == TIS_READY || device->state == TIS_RECEPTION;
    bool room = device->credit > 0 && device->in_used < sizeof(device->in);
    if (!accepts || !room || !device->active) {
        device->misuses++;
        return;
    }
    device->state = TIS_RECEPTION;
    device->credit--;
    device->in[device->in_used++] = value;
}

static inline uint8_t tis_read_fifo(struct tis_device *device)
{
    bool there = device->state == TIS_COMPLETION && device->out_at < device->out_used;
    if (!device->active || device->credit == 0) {
        device->misuses++;
    }
    device->credit -= device->credit > 0;
    return there ? device->out[device->out_at++] : 0xff;
}

static inline uint32_t tis_access(void *arg, uint64_t address, bool is_write, uint32_t value)
{
    struct tis_device *device = arg;
    uint64_t offset = address - TIS_START;
    if (device->absent) {
        return ~0U;
    }
    if (is_write && offset == 0x00) {
        bool released = value == 0x20;
        device->releases += released;
        device->active = !released && !(device->faults & TIS_NEVER_GRANTS);
    } else if (is_write && offset == 0x18) {
        tis_command(device, (uint8_t)value);
    } else if (is_write && offset == 0x24) {
        tis_write_fifo(device, (uint8_t)value);
    } else if (is_write) {
        device->misuses++;
    }
    if (is_write) {
        return 0;
    }
    switch (offset) {
    case 0x00:
        return (device->faults & TIS_NEVER_VALID ? 0x01 : 0x81) | (device->active ? 0x20 : 0);
    case 0x18:
        return tis_status(device);
    case 0x24:
        return tis_read_fifo(device);
    case 0x30:
        return device->interface_id;
    case 0xf00:
        return device->did_vid;
    default:
        device->misuses++;
        return ~0U;
    }
}

/* A fake machine with a well-behaved device. */
static inline void tis_begin(struct tis_device *device, void (*answer)(struct tis_device *))
{
    fake_machine_reset(NULL);
    *device = (struct tis_device){
        .interface_id = 0x30, .did_vid = 0x00011014, .burst = 64, .delay = 3, .answer = answer};
    fake_mmio_handler(TIS_START, TIS_PAGE, tis_access, device);
}

#endif
