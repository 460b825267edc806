/* NV memory: a few bytes for the one PAL that the boot command line names. */
#include "service_parts.h"

#include <hw/cpu.h>
#include <string.h>

static enum tv_error nv_owner(struct tv_service *service)
{
    const struct tv_platform *platform = service->platform;
    const struct tv_measurement *own = &service->pcrs->pcr[0];
    bool is_owner = false;

    if (platform->nv_owner_bytes == sizeof(own->sha1)) {
        is_owner = memcmp(platform->nv_owner, own->sha1, sizeof(own->sha1)) == 0;
    } else if (platform->nv_owner_bytes == sizeof(own->sha256)) {
        is_owner = memcmp(platform->nv_owner, own->sha256, sizeof(own->sha256)) == 0;
    }
    return is_owner ? TV_OK : TV_ERROR_NV_OWNER;
}

/* All of it at once: the owner can run as several PALs, on several CPUs. */
static void nv_copy(struct tv_platform *platform, uint8_t *to, const uint8_t *from)
{
    while (__atomic_exchange_n(&platform->nv_lock, 1, __ATOMIC_ACQUIRE) != 0) {
        hw_pause();
    }
    memcpy(to, from, TV_NV_BYTES);
    __atomic_store_n(&platform->nv_lock, 0, __ATOMIC_RELEASE);
}

void tv_nv_read(struct tv_platform *platform, uint8_t content[TV_NV_BYTES])
{
    nv_copy(platform, content, platform->nv);
}

void tv_nv_write(struct tv_platform *platform, const uint8_t content[TV_NV_BYTES])
{
    nv_copy(platform, platform->nv, content);
}

enum tv_error tv_nv_export(struct tv_platform *platform, struct tv_random *random,
                           uint8_t blob[TV_NV_BLOB_BYTES])
{
    uint8_t salt[32], content[TV_NV_BYTES];
    enum tv_error error = TV_ERROR_NO_ROOT;

    if (platform->root.source != TV_ROOT_NONE) {
        error = tv_random_get(random, salt, sizeof(salt));
    }
    if (error == TV_OK) {
        tv_nv_read(platform, content);
        tv_nv_seal(&platform->root, salt, content, blob);
        tv_wipe(content, sizeof(content));
    }
    return error;
}

enum tv_error tv_service_nv(struct tv_service *service)
{
    const uint32_t size = TV_NV_BYTES;
    uint8_t *content = tv_service_input(service, size);
    enum tv_error error = nv_owner(service);

    if (error != TV_OK) {
        return error;
    }
    if (service->number == TV_NV_GETSIZE) {
        return tv_service_write(service, service->cx, &size, sizeof(size));
    }
    if (service->number == TV_NV_READALL) {
        tv_nv_read(service->platform, content);
        return tv_service_write(service, service->cx, content, size);
    }
    error = tv_service_read(service, service->cx, content, size);
    if (error == TV_OK) {
        tv_nv_write(service->platform, content);
    }
    return error;
}
