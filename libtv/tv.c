#include <tv/tv.h>

#include "context.h"
#include "pals.h"

#include <base/check.h>
#include <hw/cpu.h>
#include <string.h>
#include <world/world.h>

void tv_init(struct tv *tv, const struct tv_config *config)
{
    tv->config = *config;
    tv->measuring = tv->wiping = (struct tv_work){0};
    tv->registrations = tv->calls_ended = tv->taken = tv->refusals = 0;
    tv_registry_init(&tv->registry);
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        tv->context[slot].state = TV_FREE;
    }
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        tv->cpu[cpu].running = tv->cpu[cpu].last = NULL;
        tv->cpu[cpu].id = TV_CPUID_NO_PAL;
        tv->cpu[cpu].memory.guest_map = config->guest_map;
        tv->cpu[cpu].memory.paging.maxphyaddr = config->phys_bits;
        tv->cpu[cpu].memory.paging.pages_1g = config->pages_1g;
        tv->cpu[cpu].random.seeded = false;
    }
    tv->platform = (struct tv_platform){.root.source = TV_ROOT_NONE};
}

void tv_set_root(struct tv *tv, enum tv_root_source source, bool debug,
                 const uint8_t secret[TV_ROOT_BYTES])
{
    tv_root_init(&tv->platform.root, source, debug, secret);
}

enum tv_error tv_set_random_root(struct tv *tv, bool debug)
{
    uint8_t secret[TV_ROOT_BYTES];
    enum tv_error error = tv_random_get(&tv->cpu[0].random, secret, sizeof(secret));

    if (error == TV_OK) {
        tv_set_root(tv, TV_ROOT_RANDOM, debug, secret);
    }
    tv_wipe(secret, sizeof(secret));
    return error;
}

enum tv_error tv_set_nv(struct tv *tv, unsigned owner_bytes, const uint8_t *owner,
                        const uint8_t *blob)
{
    struct tv_platform *platform = &tv->platform;

    CHECK(owner_bytes == 0 || owner_bytes == 20 || owner_bytes == sizeof(platform->nv_owner));
    if (owner_bytes != 0) {
        memcpy(platform->nv_owner, owner, owner_bytes);
    }
    platform->nv_owner_bytes = owner_bytes;
    memset(platform->nv, 0, sizeof(platform->nv));
    if (blob == NULL) {
        return TV_OK;
    }
    return platform->root.source == TV_ROOT_NONE
               ? TV_ERROR_NO_ROOT
               : tv_nv_unseal(&platform->root, blob, platform->nv);
}

bool tv_cpuid(const struct tv *tv, const struct vcpu *vcpu, uint32_t ecx,
              struct tv_cpuid_result *result)
{
    if (ecx != 0) {
        return false;
    }
    /* VMX is hidden from the guest, so that no caller is in a nested guest. */
    *result = (struct tv_cpuid_result){
        .eax = TV_CPUID_PRESENT,
        .ebx = tv->cpu[vcpu_cpu(vcpu)].id,
        .ecx = vcpu_width(vcpu) == VCPU_64BIT ? TV_CPUID_64BIT : 0,
    };
    return true;
}

void tv_wipe_all(struct tv *tv, unsigned cpu)
{
    world_stop(cpu);
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        struct tv_context *context = &tv->context[slot];
        if (tv_state(context) != TV_FREE) {
            tv_pal_wipe_stopped(tv, &tv->registry.pal[slot]);
            context->doomed = true; /* one that runs is ended when the world goes on */
        }
    }
    tv_root_wipe(&tv->platform.root);
    tv_wipe(tv->platform.nv, sizeof(tv->platform.nv));
    world_resume(cpu);
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        while (tv_state(&tv->context[slot]) == TV_RUNNING) { /* its CPU has been told */
            world_poll(cpu);
            hw_pause();
        }
    }
}
