/* The micro-TPM through Nacre's own interface: one PAL asks for one service after the other. */
#include "client_new.h"
#include "code.h"
#include "commands.h"

#define SECRET_BYTES 32U

/* Behind struct pal_data, in the PAL's page of data; what a service writes stays in there. */
struct services {
    struct tv_buffer random, key;
    struct tv_seal seal;
    struct tv_unseal unseal, shifted;
    struct tv_quote quote;
    struct tv_pcr_value pcr;
    uint8_t secret[SECRET_BYTES], opened[SECRET_BYTES], public_key[TV_QUOTE_KEY_BYTES];
    uint8_t blob[SECRET_BYTES + TV_SEALED_OVERHEAD + 1], evidence[TV_EVIDENCE_MAX];
};
_Static_assert(sizeof(struct pal_data) + sizeof(struct services) <= PAGE, "a page of data");

static void prepare(struct services *own)
{
    own->random = (struct tv_buffer){.address = (uintptr_t)own->secret, .length = SECRET_BYTES};
    own->key = (struct tv_buffer){.address = (uintptr_t)own->public_key,
                                  .length = sizeof(own->public_key)};
    own->seal = (struct tv_seal){.data = (uintptr_t)own->secret,
                                 .blob = (uintptr_t)own->blob,
                                 .data_bytes = SECRET_BYTES,
                                 .blob_bytes = SECRET_BYTES + TV_SEALED_OVERHEAD,
                                 .selection = 1};
    own->unseal = (struct tv_unseal){.blob = (uintptr_t)own->blob,
                                     .data = (uintptr_t)own->opened,
                                     .blob_bytes = SECRET_BYTES + TV_SEALED_OVERHEAD,
                                     .data_bytes = SECRET_BYTES};
    own->shifted = own->unseal;
    own->shifted.blob++;
    own->quote = (struct tv_quote){.evidence = (uintptr_t)own->evidence,
                                   .evidence_bytes = sizeof(own->evidence),
                                   .selection = 1};
}

static enum tv_error ask(const struct new_pal *pal, enum tv_number number, const void *structure)
{
    const uint64_t arguments[] = {number, (uintptr_t)structure};
    return (enum tv_error)new_value(pal, 2, arguments);
}

void new_services(void)
{
    struct new_pal pal;

    new_make(&pal, pal_hypercall, 1, 0);
    new_add_integers(&pal, 2);
    struct services *own = (struct services *)(pal.base.data + 1);
    prepare(own);
    new_must_register(&pal);
    check_error(ask(&pal, TV_RANDOM, &own->random), TV_OK, "random");
    check_error(ask(&pal, TV_SEAL_DATA, &own->seal), TV_OK, "seal");
    check_error(ask(&pal, TV_UNSEAL_DATA, &own->unseal), TV_OK, "unseal");
    check_error(ask(&pal, TV_UNSEAL_DATA, &own->shifted), TV_ERROR_BLOB_FORMAT, "unseal-shifted");
    check_error(ask(&pal, TV_QUOTE_PAL, &own->quote), TV_OK, "quote");
    check_error(ask(&pal, TV_QUOTE_KEY, &own->key), TV_OK, "quote-key");
    check_error(ask(&pal, TV_PCR_EXTEND, &own->pcr), TV_OK, "extend");
    check_error(ask(&pal, TV_UNSEAL_DATA, &own->unseal), TV_ERROR_BLOB_PCR, "unseal-extended");
    check_error(ask(&pal, TV_RANDOM, (void *)16), TV_ERROR_ADDRESS, "nowhere");
    check_error(hypercall(TV_RANDOM, 0, 0, 0, 0), TV_ERROR_OUTSIDE_PAL, "outside");
    new_end(&pal);
}
