#include "pal_program.h"

#include <config/config.h>
#include <string.h>

#define PAGE_BYTES 4096U
#define SECTION_NAME ".pal_descriptor"

static bool is_printable(const char *name)
{
    size_t length = strnlen(name, PAL_NAME_BYTES);

    for (size_t i = 0; i < length; i++) {
        if (name[i] < ' ' || name[i] > '~' || name[i] == '"') {
            return false;
        }
    }
    return length < PAL_NAME_BYTES;
}

static const char *check_head(const struct pal_description *description, bool is_64bit)
{
    if (memcmp(description->magic, PAL_FILE_MAGIC, sizeof(description->magic)) != 0) {
        return SECTION_NAME " does not begin with a description of a PAL";
    }
    if (description->version != PAL_FILE_VERSION) {
        return "version of the PAL's description is unknown";
    }
    if (description->word_bytes != (is_64bit ? 8 : 4)) {
        return "width of the PAL's description is not the program's";
    }
    if ((description->flags & ~TV_PAL_VECTOR) != 0) {
        return "unknown flag in the PAL's description";
    }
    return is_printable(description->name) ? NULL : "the PAL's name is not printable";
}

/* As the hypervisor checks them at registration. */
static const char *check_parameters(const struct pal_description *description)
{
    if (description->parameter_count > TV_PARAMS_MAX) {
        return "too many parameters in the PAL's description";
    }
    for (uint32_t i = 0; i < description->parameter_count; i++) {
        const struct tv_pal_parameter *parameter = &description->parameter[i];
        bool is_right = false;
        if (parameter->type == TV_PARAM_INTEGER) {
            is_right = parameter->direction == 0 && parameter->size == 0;
        } else if (parameter->type == TV_PARAM_POINTER) {
            is_right = parameter->direction >= TV_IN && parameter->direction <= TV_IN_OUT &&
                       parameter->size != 0;
        }
        if (!is_right) {
            return "wrong parameter in the PAL's description";
        }
    }
    return NULL;
}

static bool is_pages(uint64_t start, uint64_t end)
{
    return start <= end && start % PAGE_BYTES == 0 && end % PAGE_BYTES == 0;
}

static bool is_inside(uint64_t address, uint64_t bytes, uint64_t start, uint64_t end)
{
    return address >= start && address < end && bytes <= end - address;
}

/* The largest are refused here, so that sums cannot overflow and measuring comes to an end. */
static const char *check_layout(const struct pal_description *description)
{
    uint64_t code = description->code_start.value, code_end = description->code_end.value;
    uint64_t data = description->data_start.value, data_end = description->data_end.value;

    if (!is_pages(code, code_end) || !is_pages(data, data_end) || code == code_end) {
        return "code and data of the PAL are not whole pages";
    }
    if (description->param_pages == 0 || description->stack_pages == 0) {
        return "the PAL has no pages for parameters or stack";
    }
    if ((code_end - code) / PAGE_BYTES + (data_end - data) / PAGE_BYTES + description->param_pages +
            description->stack_pages >
        CONFIG_MAX_PAL_PAGES) {
        return "the PAL has too many pages";
    }
    if (data != data_end && code < data_end && data < code_end) {
        return "code and data of the PAL overlap";
    }
    return is_inside(description->entry.value, 1, code, code_end)
               ? NULL
               : "the PAL's entry point is not in its code";
}

static const char *read_description(const struct verify_elf *elf,
                                    struct pal_description *description)
{
    struct verify_memory memory;
    uint64_t address, bytes;

    if (verify_elf_section(elf, SECTION_NAME, &address, &bytes) != NULL) {
        return "there is not one section " SECTION_NAME;
    }
    if (bytes < sizeof(*description) ||
        verify_elf_pages(elf, address, sizeof(*description), &memory) != NULL ||
        memory.data_bytes < sizeof(*description)) {
        return SECTION_NAME " is too short, or not one segment alone has it";
    }
    memcpy(description, memory.data, sizeof(*description));
    const char *wrong = check_head(description, elf->is_64bit);
    if (wrong == NULL) {
        wrong = check_parameters(description);
    }
    return wrong == NULL ? check_layout(description) : wrong;
}

/* A hook of the file's would make the PAL call what is outside of it. */
static const char *check_hook(const struct verify_elf *elf,
                              const struct pal_description *description)
{
    struct verify_memory memory;
    uint64_t hook = description->hook.value;

    if (hook == 0) {
        return NULL;
    }
    if (!is_inside(hook, description->word_bytes, description->data_start.value,
                   description->data_end.value) ||
        verify_elf_memory(elf, hook, description->word_bytes, &memory) != NULL) {
        return "the PAL's hook is not in its data";
    }
    for (uint64_t i = 0; i < memory.data_bytes; i++) {
        if (memory.data[i] != 0) {
            return "the PAL's hook is not zero";
        }
    }
    return NULL;
}

static const char *add_loaded(const struct verify_elf *elf, struct verify_pal *pal, uint32_t type,
                              uint64_t start, uint64_t end)
{
    struct verify_section *section = &pal->section[pal->section_count++];

    *section = (struct verify_section){.type = type, .start = start, .bytes = end - start};
    return verify_elf_pages(elf, start, section->bytes, &section->memory) == NULL
               ? NULL
               : "not one segment alone has the pages of the PAL's code or data";
}

static void add_zero(struct verify_pal *pal, uint32_t type, uint64_t pages)
{
    pal->section[pal->section_count++] = (struct verify_section){
        .type = type, .bytes = pages * PAGE_BYTES, .memory = {.zero_bytes = pages * PAGE_BYTES}};
}

const char *verify_pal_read(struct verify_pal *pal, const uint8_t *file, size_t bytes)
{
    const struct pal_description *description = &pal->description;
    struct verify_elf elf;

    pal->section_count = 0;
    const char *wrong = verify_elf_open(&elf, file, bytes);
    if (wrong == NULL) {
        wrong = read_description(&elf, &pal->description);
    }
    if (wrong == NULL) {
        wrong = check_hook(&elf, description);
    }
    if (wrong == NULL) {
        wrong = add_loaded(&elf, pal, TV_SECTION_CODE, description->code_start.value,
                           description->code_end.value);
    }
    if (wrong == NULL && description->data_start.value != description->data_end.value) {
        wrong = add_loaded(&elf, pal, TV_SECTION_DATA, description->data_start.value,
                           description->data_end.value);
    }
    if (wrong == NULL) {
        add_zero(pal, TV_SECTION_PARAM, description->param_pages);
        add_zero(pal, TV_SECTION_STACK, description->stack_pages);
    }
    return wrong;
}

static void measure_zeros(struct tv_measure *measure, uint64_t bytes)
{
    static const uint8_t zeros[PAGE_BYTES];

    while (bytes > 0) {
        size_t part = bytes < sizeof(zeros) ? bytes : sizeof(zeros);
        tv_measure_add(measure, zeros, part);
        bytes -= part;
    }
}

void verify_pal_measure(const struct verify_pal *pal, struct tv_measurement *measurement)
{
    const struct pal_description *description = &pal->description;
    struct tv_measure measure;

    memset(measurement, 0, sizeof(*measurement));
    tv_measure_description(measurement, description->word_bytes, description->flags,
                           description->entry.value, description->parameter_count,
                           description->parameter);
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct verify_section *section = &pal->section[i];
        tv_measure_begin(&measure);
        tv_measure_section_header(&measure, section->type, section->start, section->bytes);
        if (section->memory.data_bytes > 0) {
            tv_measure_add(&measure, section->memory.data, section->memory.data_bytes);
        }
        measure_zeros(&measure, section->memory.zero_bytes);
        tv_measure_extend(&measure, measurement);
    }
}
