#include "guestmem.h"

#include "nacre.h"

#include <base/bits.h>
#include <ept/gwalk.h>

/*
 * No lock is needed: nested tables are taken away only in a rendezvous, which this CPU does not
 * join in the middle of a walk.
 */
static bool fetch(struct gwalk_cache *cache, const struct vcpu_paging *state, uint64_t linear,
                  void *to, unsigned bytes)
{
    struct gwalk_result result;
    struct gwalk_paging paging = {
        .cr0 = state->cr0,
        .cr3 = state->cr3,
        .cr4 = state->cr4,
        .efer = state->efer,
        .rflags = state->rflags,
        .pdpte = {state->pdpte[0], state->pdpte[1], state->pdpte[2], state->pdpte[3]},
        .cpl = state->cpl,
        .maxphyaddr = nacre.caps.phys_bits,
        .pages_1g = nacre.caps.extended1_edx & BIT(26),
    };

    return gwalk_fetch(cache, &paging, &nacre.ept, linear, to, bytes, &result) == GWALK_OK;
}

unsigned guest_fetch(struct vcpu *vcpu, void *to, unsigned bytes)
{
    struct gwalk_cache *cache = &nacre.cpu[vcpu_cpu(vcpu)].code_walks;
    struct vcpu_paging paging;
    uint64_t linear = vcpu_rip(vcpu);

    if (vcpu_width(vcpu) != VCPU_64BIT) {
        linear = (uint32_t)(linear + vcpu_segment_base(vcpu, VCPU_CS));
    }
    vcpu_paging(vcpu, &paging);
    if (fetch(cache, &paging, linear, to, bytes)) {
        return bytes;
    }
    unsigned first =
        (unsigned)(PAGE_BYTES - (linear & PAGE_MASK)); /* the next page may be absent */
    return first < bytes && fetch(cache, &paging, linear, to, first) ? first : 0;
}
