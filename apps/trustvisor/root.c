#include "root.h"

#include "nacre.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/mem.h>
#include <tpm/root.h>
#include <tv/random.h>

/* Takes all bytes of a module, and leaves zeros; false: there is none. */
static bool take_module(const char *word, uint8_t *to, uint64_t bytes)
{
    static const uint8_t zeros[TV_NV_BLOB_BYTES];
    const char *unused;
    const struct hw_module *module = nacre_find_module(word, &unused);

    if (module == NULL) {
        return false;
    }
    if (module->bytes != bytes) {
        nacre_refuse("module '%s' has %llu bytes; it must have %llu", word,
                     (unsigned long long)module->bytes, (unsigned long long)bytes);
    }
    CHECK(bytes <= sizeof(zeros) && hw_phys_read(module->start, to, bytes) == STATUS_OK &&
          hw_phys_write(module->start, zeros, bytes) == STATUS_OK);
    return true;
}

static bool make_root_of_tpm(struct tv *tv)
{
    uint8_t fresh[TPM_ROOT_BYTES], secret[TPM_ROOT_BYTES];
    bool has_fresh = tv_random_get(&tv->cpu[0].random, fresh, sizeof(fresh)) == TV_OK;
    bool found = tpm_root_secret(has_fresh ? fresh : NULL, secret) == TPM_ROOT_FOUND;

    if (found) {
        tv_set_root(tv, TV_ROOT_TPM, NACRE_DEBUG, secret);
    }
    tv_wipe(fresh, sizeof(fresh));
    tv_wipe(secret, sizeof(secret));
    return found;
}

static void make_root(struct tv *tv)
{
    uint8_t secret[TV_ROOT_BYTES];
    bool is_given = take_module(NACRE_MODULE_SECRET, secret, sizeof(secret));

    if (nacre.options.tpm && make_root_of_tpm(tv)) {
        if (is_given) {
            log_warn("PALs: the TPM's root secret counts, not the module '%s'; tpm=off changes it",
                     NACRE_MODULE_SECRET);
        }
    } else if (is_given) {
        tv_set_root(tv, TV_ROOT_MODULE, NACRE_DEBUG, secret);
        log_info("PALs: root secret from the module '%s'", NACRE_MODULE_SECRET);
    } else if (tv_set_random_root(tv, NACRE_DEBUG) == TV_OK) {
        log_info("PALs: root secret is random: what they seal ends with this boot");
    } else {
        log_warn("PALs can neither seal nor be quoted: the CPU has no random numbers");
    }
    tv_wipe(secret, sizeof(secret));
}

static void make_nv(struct tv *tv)
{
    const struct app_options *options = &nacre.options;
    uint8_t blob[TV_NV_BLOB_BYTES];
    bool is_given = take_module(NACRE_MODULE_NV, blob, sizeof(blob));
    enum tv_error error =
        tv_set_nv(tv, options->nv_owner_bytes, options->nv_owner, is_given ? blob : NULL);

    if (error != TV_OK) {
        nacre_refuse("module '%s': %s", NACRE_MODULE_NV, tv_error_text(error));
    }
}

void root_make(struct tv *tv)
{
    make_root(tv);
    make_nv(tv);
}
