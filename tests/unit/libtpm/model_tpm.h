/*
 * As much of a TPM 2.0 as the root secret needs, behind the FIFO interface: one NV index, two
 * hierarchies, and a way to make any one command go wrong.
 */
#ifndef TESTS_LIBTPM_MODEL_TPM_H
#define TESTS_LIBTPM_MODEL_TPM_H

#include "tis_device.h"

#include "command.h"

#define MODEL_BYTES 32U

enum model_command {
    MODEL_STARTUP = 0x144,
    MODEL_GET_RANDOM = 0x17b,
    MODEL_DEFINE = 0x12a,
    MODEL_WRITE = 0x137,
    MODEL_WRITE_LOCK = 0x138,
    MODEL_READ = 0x14e,
    MODEL_READ_LOCK = 0x14f,
    MODEL_READ_PUBLIC = 0x169,
    MODEL_HIERARCHY = 0x121,
};

enum model_fault {
    MODEL_CODE,  /* answers with `code`, `times` times */
    MODEL_SHORT, /* a byte is missing, and the header knows */
    MODEL_LONG,  /* a byte too many, and the header knows */
    MODEL_HANGS,
    MODEL_IGNORES /* answers success and does nothing */
};

struct model {
    struct tis_device device;
    bool started, platform_open, owner_open, exists;
    uint32_t closed_code;
    struct tpm_nv_public public;
    uint8_t data[MODEL_BYTES];
    unsigned defines, writes;

    uint32_t faulty; /* the command that goes wrong, 0: none; from the `skip`th on */
    enum model_fault fault;
    unsigned skip, times;
    uint32_t code;
};

static inline uint32_t model_get(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void model_put(struct tis_device *device, uint32_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        device->out[device->out_used++] = (uint8_t)(value >> 8 * bytes);
    }
}

static inline void model_end(struct tis_device *device, uint16_t tag, uint32_t code)
{
    size_t used = device->out_used;
    device->out_used = 0;
    model_put(device, tag, 2);
    model_put(device, (uint32_t)used, 4);
    model_put(device, code, 4);
    device->out_used = used;
}

static inline void model_error(struct tis_device *device, uint32_t code)
{
    device->out_used = 10;
    model_end(device, 0x8001, code);
}

/* Success of a command with authorization, with parameters that are a TPM2B or nothing. */
static inline void model_authorized(struct tis_device *device, const uint8_t *data, unsigned bytes)
{
    device->out_used = 10;
    model_put(device, data ? bytes + 2 : 0, 4);
    if (data) {
        model_put(device, bytes, 2);
        memcpy(device->out + device->out_used, data, bytes);
        device->out_used += bytes;
    }
    model_put(device, 0, 2);
    model_put(device, 1, 1);
    model_put(device, 0, 2);
    model_end(device, 0x8002, 0);
}

static inline void model_define(struct model *tpm, const uint8_t *in)
{
    bool platform = model_get(in + 10) == TPM_RH_PLATFORM;
    const uint8_t *public = in + 31; /* behind authorization, index's authorization and size */
    if (!(platform ? tpm->platform_open : tpm->owner_open)) {
        model_error(&tpm->device, platform ? tpm->closed_code : 0x9a2);
        return;
    }
    tpm->public = (struct tpm_nv_public){
        .index = model_get(public),
        .name_algorithm = (uint16_t)(public[4] << 8 | public[5]),
        .attributes = model_get(public + 6),
        .policy_bytes = (uint16_t)(public[10] << 8 | public[11]),
        .data_bytes = (uint16_t)(public[12] << 8 | public[13]),
    };
    bool says_platform = (tpm->public.attributes & TPMA_NV_PLATFORMCREATE) != 0;
    assert_int_equal(says_platform, platform);
    tpm->exists = true;
    tpm->defines++;
    model_authorized(&tpm->device, NULL, 0);
}

static inline void model_read_public(struct model *tpm)
{
    if (!tpm->exists) {
        model_error(&tpm->device, 0x18b);
        return;
    }
    struct tis_device *device = &tpm->device;
    device->out_used = 10;
    model_put(device, 14U + tpm->public.policy_bytes, 2);
    model_put(device, tpm->public.index, 4);
    model_put(device, tpm->public.name_algorithm, 2);
    model_put(device, tpm->public.attributes, 4);
    model_put(device, tpm->public.policy_bytes, 2);
    for (unsigned i = 0; i < tpm->public.policy_bytes; i++) {
        model_put(device, 0xee, 1);
    }
    model_put(device, tpm->public.data_bytes, 2);
    model_put(device, 34, 2);
    for (unsigned i = 0; i < 34; i++) {
        model_put(device, i, 1);
    }
    model_end(device, 0x8001, 0);
}

static inline void model_write(struct model *tpm, const uint8_t *in)
{
    if (tpm->public.attributes & TPMA_NV_WRITELOCKED) {
        model_error(&tpm->device, TPM_RC_NV_LOCKED);
        return;
    }
    assert_int_equal(in[31] << 8 | in[32], MODEL_BYTES);
    memcpy(tpm->data, in + 33, MODEL_BYTES);
    tpm->public.attributes |= TPMA_NV_WRITTEN;
    tpm->writes++;
    model_authorized(&tpm->device, NULL, 0);
}

static inline void model_read(struct model *tpm)
{
    if (tpm->public.attributes & TPMA_NV_READLOCKED) {
        model_error(&tpm->device, TPM_RC_NV_LOCKED);
        return;
    }
    model_authorized(&tpm->device, tpm->data, MODEL_BYTES);
}

static inline void model_set(struct model *tpm, uint32_t attribute)
{
    tpm->public.attributes |= attribute;
    model_authorized(&tpm->device, NULL, 0);
}

static inline void model_startup(struct model *tpm)
{
    model_error(&tpm->device, tpm->started ? TPM_RC_INITIALIZE : TPM_RC_SUCCESS);
    tpm->started = true;
}

static inline void model_hierarchy(struct model *tpm, const uint8_t *in)
{
    bool is_off = model_get(in + 10) == TPM_RH_PLATFORM && model_get(in + 27) == TPM_RH_PLATFORM &&
                  in[31] == 0;
    assert_true(is_off);
    if (!tpm->platform_open) {
        model_error(&tpm->device, tpm->closed_code);
        return;
    }
    tpm->platform_open = false;
    model_authorized(&tpm->device, NULL, 0);
}

static inline void model_random(struct model *tpm)
{
    struct tis_device *device = &tpm->device;
    device->out_used = 10;
    model_put(device, MODEL_BYTES, 2);
    for (unsigned i = 0; i < MODEL_BYTES; i++) {
        model_put(device, 0xc0 + i, 1);
    }
    model_end(device, 0x8001, 0);
}

static inline void model_execute(struct model *tpm, uint32_t code, const uint8_t *in)
{
    switch (code) {
    case MODEL_STARTUP:
        model_startup(tpm);
        return;
    case MODEL_GET_RANDOM:
        model_random(tpm);
        return;
    case MODEL_DEFINE:
        model_define(tpm, in);
        return;
    case MODEL_WRITE:
        model_write(tpm, in);
        return;
    case MODEL_WRITE_LOCK:
        model_set(tpm, TPMA_NV_WRITELOCKED);
        return;
    case MODEL_READ:
        model_read(tpm);
        return;
    case MODEL_READ_LOCK:
        model_set(tpm, TPMA_NV_READLOCKED);
        return;
    case MODEL_READ_PUBLIC:
        model_read_public(tpm);
        return;
    case MODEL_HIERARCHY:
        model_hierarchy(tpm, in);
        return;
    default:
        model_error(&tpm->device, 0x143); /* TPM_RC_COMMAND_CODE */
    }
}

static inline void model_misbehave(struct model *tpm, uint32_t command, const uint8_t *in)
{
    struct tis_device *device = &tpm->device;
    tpm->times--;
    if (tpm->fault == MODEL_CODE) {
        model_error(device, tpm->code);
        return;
    }
    if (tpm->fault == MODEL_IGNORES) {
        model_authorized(device, NULL, 0);
        return;
    }
    model_execute(tpm, command, in);
    device->out_used += tpm->fault == MODEL_LONG;
    device->out_used -= tpm->fault == MODEL_SHORT;
    device->out[5] = (uint8_t)device->out_used;
    device->faults |= tpm->fault == MODEL_HANGS ? TIS_STALLS : 0;
}

static inline void model_answer(struct tis_device *device)
{
    struct model *tpm = device->arg;
    uint32_t command = model_get(device->in + 6);
    bool faulty = command == tpm->faulty && tpm->times > 0;
    if (faulty && tpm->skip > 0) {
        tpm->skip--;
        faulty = false;
    }
    if (!tpm->started && command != MODEL_STARTUP) {
        model_error(device, TPM_RC_INITIALIZE);
    } else if (faulty) {
        model_misbehave(tpm, command, device->in);
    } else {
        model_execute(tpm, command, device->in);
    }
}

/* The machine is switched on; what the TPM remembers stays. */
static inline void model_reset(struct model *tpm)
{
    tis_begin(&tpm->device, model_answer);
    tpm->device.arg = tpm;
    tpm->started = false;
    tpm->platform_open = tpm->owner_open = true;
    tpm->closed_code = 0x185; /* TPM_RC_HIERARCHY, handle 1 */
    tpm->public.attributes &= ~TPMA_NV_READLOCKED;
    tpm->faulty = tpm->skip = tpm->times = 0;
    tpm->defines = tpm->writes = 0;
}

#endif
