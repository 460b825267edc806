/* Registering, sharing with and unregistering PALs, as guests ask for it in either interface. */
#include "register.h"

#include "caller.h"
#include "pals.h"

#include <base/bits.h>
#include <stddef.h>
#include <string.h>

static enum tv_error read(struct tv_cpu *self, uint64_t linear, void *to, size_t bytes)
{
    return tv_memory_read_caller(&self->memory, linear, to, bytes);
}

/* Entries beyond the count may lie in unmapped memory. */
static enum tv_error read_sections(struct tv_cpu *self, uint64_t linear, unsigned count)
{
    struct tv_pal_section guests[8];

    for (unsigned done = 0; done < count;) {
        unsigned part = count - done < 8 ? count - done : 8;
        enum tv_error error =
            read(self, linear + done * sizeof(guests[0]), guests, part * sizeof(guests[0]));
        if (error != TV_OK) {
            return error;
        }
        for (unsigned i = 0; i < part; i++, done++) {
            self->request.section[done] =
                (struct tv_section){.type = (enum tv_section_type)guests[i].type,
                                    .pages = guests[i].page_num,
                                    .start = guests[i].start_addr};
        }
    }
    self->request.section_count = count;
    return TV_OK;
}

/* {u32 count, u32 pad} in front of both arrays of the old interface. */
static enum tv_error read_count(struct tv_cpu *self, uint64_t linear, uint32_t *count)
{
    return read(self, linear, count, sizeof(*count));
}

static enum tv_error read_old_params(struct tv_cpu *self, uint64_t linear)
{
    struct tv_signature *signature = &self->request.signature;
    struct tv_pal_param params[TV_PARAMS_MAX];
    uint32_t count;

    enum tv_error error = read_count(self, linear, &count);
    if (error == TV_OK && count > TV_PARAMS_MAX) {
        error = TV_ERROR_PARAM_COUNT;
    }
    if (error == TV_OK && count > 0) {
        error = read(self, linear + offsetof(struct tv_pal_params, params), params,
                     count * sizeof(params[0]));
    }
    for (unsigned i = 0; error == TV_OK && i < count; i++) {
        self->request.faulty = i;
        error = tv_marshal_old_param(&params[i], self->request.key.width, &signature->param[i]);
    }
    signature->count = error == TV_OK ? count : 0;
    return error;
}

/* What a request always has. */
static void begin(struct tv_cpu *self, uint64_t entry)
{
    self->request.key = tv_caller_key(&self->memory, entry);
    self->request.by_number = false;
    self->request.vector = false;
    self->request.faulty = 0;
    self->request.signature.width = self->request.key.width;
    self->request.signature.padded = false;
}

enum tv_error tv_register_old(struct tv *tv, struct vcpu *vcpu)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(vcpu)];
    uint64_t sections = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RCX));
    uint64_t params = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RSI));
    const struct tv_pal *pal;
    uint32_t count;

    begin(self, tv_linear(vcpu, VCPU_CS, tv_argument(vcpu, VCPU_RDI)));
    enum tv_error error = read_count(self, sections, &count);
    if (error == TV_OK && count > TV_SECTIONS_MAX) {
        error = TV_ERROR_SECTION_COUNT;
    }
    if (error == TV_OK) {
        error = read_sections(self, sections + offsetof(struct tv_pal_sections, sections), count);
    }
    if (error == TV_OK) {
        error = read_old_params(self, params);
    }
    if (error == TV_OK) {
        error = tv_pal_make(tv, vcpu_cpu(vcpu), &pal);
    }
    if (error == TV_OK) {
        tv_pal_open(tv, vcpu_cpu(vcpu), pal);
    }
    return error;
}

/* A PAL of this caller's process by its entry point, whichever interface registered it. */
static const struct tv_pal *find(struct tv *tv, const struct vcpu *vcpu, struct tv_cpu *self,
                                 enum vcpu_gpr gpr)
{
    uint64_t entry = tv_linear(vcpu, VCPU_CS, tv_argument(vcpu, gpr));
    struct tv_pal_key key = tv_caller_key(&self->memory, entry);
    return tv_registry_find(&tv->registry, &key);
}

enum tv_error tv_unregister_old(struct tv *tv, struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    const struct tv_pal *pal = find(tv, vcpu, &tv->cpu[cpu], VCPU_RCX);
    return pal == NULL ? TV_ERROR_NO_SUCH_PAL : tv_pal_remove(tv, cpu, pal);
}

/* A word of the caller's width from an array of such words. */
static enum tv_error read_word(struct tv_cpu *self, const struct vcpu *vcpu, uint64_t array,
                               unsigned index, uint64_t *word)
{
    uint64_t bytes = (unsigned)vcpu_width(vcpu);
    *word = 0;
    return read(self, array + (uint64_t)index * bytes, word, bytes);
}

static enum tv_error read_share(struct tv_cpu *self, const struct vcpu *vcpu, unsigned index)
{
    uint64_t starts = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RDX));
    uint64_t lengths = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RSI));
    uint64_t start, bytes;

    enum tv_error error = read_word(self, vcpu, starts, index, &start);
    if (error == TV_OK) {
        error = read_word(self, vcpu, lengths, index, &bytes);
    }
    if (error != TV_OK) {
        return error;
    }
    if (bytes == 0 || !addr_is_aligned(start | bytes, PAGE_BYTES) ||
        bytes > TV_SHARE_PAGES_MAX * PAGE_BYTES || start > tv_user_end(vcpu_width(vcpu)) ||
        bytes > tv_user_end(vcpu_width(vcpu)) - start) {
        return TV_ERROR_SHARE;
    }
    self->share[index] = (struct tv_share){.start = start, .pages = (uint32_t)(bytes / PAGE_BYTES)};
    return TV_OK;
}

enum tv_error tv_share(struct tv *tv, struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    struct tv_cpu *self = &tv->cpu[cpu];
    const struct tv_pal *pal = find(tv, vcpu, self, VCPU_RCX);
    uint64_t count = tv_argument(vcpu, VCPU_RDI);

    if (pal == NULL) {
        return TV_ERROR_NO_SUCH_PAL;
    }
    if (count == 0 || count > TV_SHARES_MAX) {
        return TV_ERROR_SHARE;
    }
    for (unsigned i = 0; i < count; i++) {
        enum tv_error error = read_share(self, vcpu, i);
        if (error != TV_OK) {
            return error;
        }
    }
    return tv_pal_share(tv, cpu, pal, (unsigned)count);
}

static enum tv_error read_new_params(struct tv_cpu *self, const struct tv_pal_register *asked)
{
    struct tv_signature *signature = &self->request.signature;
    struct tv_pal_parameter params[TV_PARAMS_MAX];
    enum tv_error error = TV_OK;

    if (asked->parameter_count > 0) {
        error = read(self, asked->parameters, params, asked->parameter_count * sizeof(params[0]));
    }
    for (unsigned i = 0; error == TV_OK && i < asked->parameter_count; i++) {
        self->request.faulty = i;
        error = tv_marshal_new_param(&params[i], &signature->param[i]);
    }
    signature->count = error == TV_OK ? asked->parameter_count : 0;
    return error;
}

static enum tv_error check_asked(const struct tv_pal_register *asked, const struct vcpu *isolated)
{
    if (asked->version != TV_PAL_VERSION) {
        return TV_ERROR_VERSION;
    }
    if ((asked->flags & ~TV_PAL_VECTOR) != 0 ||
        ((asked->flags & TV_PAL_VECTOR) != 0 && !vcpu_isolated_has_vector(isolated))) {
        return TV_ERROR_FLAGS;
    }
    if (asked->section_count > TV_PAL_SECTIONS_MAX) {
        return TV_ERROR_SECTION_COUNT;
    }
    return asked->parameter_count > TV_PARAMS_MAX ? TV_ERROR_PARAM_COUNT : TV_OK;
}

static enum tv_error make_new(struct tv *tv, struct vcpu *vcpu, struct tv_pal_register *asked,
                              const struct tv_pal **pal)
{
    unsigned cpu = vcpu_cpu(vcpu);
    struct tv_cpu *self = &tv->cpu[cpu];

    begin(self, asked->entry);
    self->request.by_number = true;
    self->request.vector = (asked->flags & TV_PAL_VECTOR) != 0;
    self->request.signature.padded = true;
    enum tv_error error = check_asked(asked, tv->config.isolated[cpu]);
    if (error == TV_OK) {
        error = read_sections(self, asked->sections, asked->section_count);
    }
    if (error == TV_OK) {
        error = read_new_params(self, asked);
    }
    return error == TV_OK ? tv_pal_make(tv, cpu, pal) : error;
}

/* The answer's place is checked first, so that a PAL whose number nobody learns is a rare race; it
 * is then dropped again, and has not run. */
enum tv_error tv_register_new(struct tv *tv, struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    struct tv_cpu *self = &tv->cpu[cpu];
    uint64_t linear = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RCX));
    struct tv_pal_register asked;
    const struct tv_pal *pal = NULL;

    enum tv_error error = read(self, linear, &asked, sizeof(asked));
    if (error == TV_OK) {
        error = tv_memory_check_writable(&self->memory, linear, sizeof(asked));
    }
    if (error != TV_OK) {
        return error;
    }
    error = make_new(tv, vcpu, &asked, &pal);
    asked.id = TV_CPUID_NO_PAL;
    asked.faulty = error == TV_OK ? 0 : self->request.faulty;
    if (error == TV_OK) {
        asked.id = pal->id;
        memcpy(asked.measurement, tv_context_of(tv, pal)->pcrs.identity.sha256,
               sizeof(asked.measurement));
    }
    uint64_t from = offsetof(struct tv_pal_register, id);
    bool told = tv_memory_write_caller(&self->memory, linear + from, &asked.id,
                                       sizeof(asked) - from) == TV_OK;
    if (error != TV_OK) {
        return error;
    }
    if (!told) {
        tv_pal_drop(tv, cpu, pal);
        return TV_ERROR_ADDRESS;
    }
    tv_pal_open(tv, cpu, pal);
    return TV_OK;
}

const struct tv_pal *tv_find_number(struct tv *tv, const struct tv_memory *memory, uint64_t id)
{
    const struct tv_pal *pal = tv_registry_find_id(&tv->registry, id);
    struct tv_pal_key own = tv_caller_key(memory, 0);
    return pal != NULL && tv_registry_same_process(&pal->key, &own) ? pal : NULL;
}

enum tv_error tv_unregister_new(struct tv *tv, struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    const struct tv_pal *pal =
        tv_find_number(tv, &tv->cpu[cpu].memory, tv_argument(vcpu, VCPU_RCX));
    return pal == NULL ? TV_ERROR_NO_SUCH_PAL : tv_pal_remove(tv, cpu, pal);
}
