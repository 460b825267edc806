#include "report.h"

#include <inttypes.h>
#include <stdio.h>

static void print_hex(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%02x", bytes[i]);
    }
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {[TV_SECTION_CODE] = "code",
                                        [TV_SECTION_DATA] = "data",
                                        [TV_SECTION_PARAM] = "param",
                                        [TV_SECTION_STACK] = "stack"};

    return names[type];
}

static void print_parameter(const struct tv_pal_parameter *parameter)
{
    static const char *const names[] = {[TV_IN] = "in", [TV_OUT] = "out", [TV_IN_OUT] = "in-out"};

    if (parameter->type == TV_PARAM_INTEGER) {
        printf("parameter integer\n");
    } else {
        printf("parameter pointer %s bytes=%" PRIu64 "\n", names[parameter->direction],
               parameter->size);
    }
}

void verify_report_measurement(const struct verify_pal *pal,
                               const struct tv_measurement *measurement)
{
    const struct pal_description *description = &pal->description;

    printf("sha256 ");
    print_hex(measurement->sha256, sizeof(measurement->sha256));
    printf("\nsha1 ");
    print_hex(measurement->sha1, sizeof(measurement->sha1));
    printf("\nname %s\nwidth %" PRIu32 "\nflags %s\nentry 0x%" PRIx64 "\n", description->name,
           8 * description->word_bytes,
           (description->flags & TV_PAL_VECTOR) != 0 ? "vector" : "none", description->entry.value);
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct verify_section *section = &pal->section[i];
        printf("section %s", type_name(section->type));
        if (section->memory.data != NULL) {
            printf(" start=0x%" PRIx64, section->start);
        }
        printf(" bytes=%" PRIu64 "\n", section->bytes);
    }
    for (uint32_t i = 0; i < description->parameter_count; i++) {
        print_parameter(&description->parameter[i]);
    }
}

static const char *root_name(uint32_t root)
{
    static const char *const names[] = {[TV_ROOT_NONE] = "lasting",
                                        [TV_ROOT_TPM] = "tpm",
                                        [TV_ROOT_MODULE] = "module",
                                        [TV_ROOT_RANDOM] = "random",
                                        [TV_ROOT_SIMULATED] = "simulated"};

    return names[root];
}

void verify_report_statement(const struct verify_options *options, const struct verify_pal *pal,
                             const struct verify_statement *statement)
{
    size_t digest_bytes = options->mode == VERIFY_EVIDENCE ? 32 : 20;

    printf("verified: pal=");
    print_hex(options->expected.identity, digest_bytes);
    if (pal != NULL) {
        printf(" name=\"%s\"", pal->description.name);
    }
    printf(" build=%s root=%s", statement->is_debug ? "debug" : "release",
           root_name(statement->root));
    if (options->mode == VERIFY_EVIDENCE) {
        printf(" nacre=%" PRIu32 ".%" PRIu32 " data=", statement->hypervisor >> 16,
               statement->hypervisor & 0xffff);
        print_hex(statement->data, sizeof(statement->data));
    }
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((statement->selection >> i & 1) != 0) {
            printf(" pcr%u=", i);
            print_hex(statement->pcr[i], digest_bytes);
        }
    }
    printf("\n");
}
