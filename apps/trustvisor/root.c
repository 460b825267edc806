#include "root.h"

#include "nacre.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/mem.h>
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

static void make_root(struct tv *tv)
{
    uint8_t secret[TV_ROOT_BYTES];

    if (take_module(NACRE_MODULE_SECRET, secret, sizeof(secret))) {
        tv_set_root(tv, TV_ROOT_MODULE, NACRE_DEBUG, secret);
        tv_wipe(secret, sizeof(secret));
        log_info("PALs: root secret from the module '%s'", NACRE_MODULE_SECRET);
    } else if (tv_set_random_root(tv, NACRE_DEBUG) == TV_OK) {
        log_info("PALs: root secret is random: what they seal ends with this boot");
    } else {
        log_warn("PALs can neither seal nor be quoted: the CPU has no random numbers");
    }
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
