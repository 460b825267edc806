#include "options.h"

#include <stdio.h>
#include <string.h>

#define SERIAL_PORT_DEFAULT 0x3f8
#define SERIAL_REGISTERS 8 /* a 16550 decodes eight ports */
#define WORD_SHOWN_BYTES 48

/* Part of the command line, not NUL-terminated. */
struct text {
    const char *start;
    size_t bytes;
};

static const char OPTIONS_KNOWN[] = "console= log= boot= drive= mem= region= on-panic= "
                                    "pal-budget= nv-owner= tpm=";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool text_is(struct text text, const char *word)
{
    return strlen(word) == text.bytes && memcmp(text.start, word, text.bytes) == 0;
}

/* Takes the part before the first separator off *text; the separator goes too. */
static struct text text_cut(struct text *text, char separator)
{
    struct text part = {text->start, 0};

    while (part.bytes < text->bytes && part.start[part.bytes] != separator) {
        part.bytes++;
    }
    size_t taken = part.bytes < text->bytes ? part.bytes + 1 : part.bytes;
    text->start += taken;
    text->bytes -= taken;
    return part;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (unsigned)(c - 'a') + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return (unsigned)(c - 'A') + 10;
    }
    return 16;
}

/* Decimal, or hexadecimal after 0x; the whole text must be digits. */
static enum status parse_number(struct text text, uint64_t *value)
{
    unsigned base = 10;
    uint64_t result = 0;

    if (text.bytes > 2 && text.start[0] == '0' && (text.start[1] | 0x20) == 'x') {
        base = 16;
        text.start += 2;
        text.bytes -= 2;
    }
    if (text.bytes == 0) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned digit = digit_value(text.start[i]);
        if (digit >= base) {
            return STATUS_INVALID;
        }
        if (__builtin_mul_overflow(result, base, &result) ||
            __builtin_add_overflow(result, digit, &result)) {
            return STATUS_OVERFLOW;
        }
    }
    *value = result;
    return STATUS_OK;
}

static enum status parse_size(struct text text, uint64_t *bytes)
{
    unsigned shift = 0;
    uint64_t number;

    if (text.bytes > 0) {
        char last = (char)(text.start[text.bytes - 1] | 0x20);
        shift = last == 'k' ? 10 : last == 'm' ? 20 : last == 'g' ? 30 : 0;
        text.bytes -= shift != 0;
    }
    enum status status = parse_number(text, &number);
    if (status != STATUS_OK) {
        return status;
    }
    if (number > UINT64_MAX >> shift) {
        return STATUS_OVERFLOW;
    }
    *bytes = number << shift;
    return STATUS_OK;
}

static enum status parse_console(struct text value, struct hw_console_config *console)
{
    struct hw_console_config result = {.serial_port = SERIAL_PORT_DEFAULT};

    if (text_is(value, "none")) {
        *console = result;
        return STATUS_OK;
    }
    if (value.bytes == 0 || value.start[value.bytes - 1] == ',') {
        return STATUS_INVALID;
    }
    while (value.bytes > 0) {
        struct text item = text_cut(&value, ',');
        if (text_is(item, "e9")) {
            result.e9 = true;
            continue;
        }
        bool has_port = memchr(item.start, ':', item.bytes) != NULL;
        if (!text_is(text_cut(&item, ':'), "serial")) {
            return STATUS_INVALID;
        }
        uint64_t port = SERIAL_PORT_DEFAULT;
        enum status status = has_port ? parse_number(item, &port) : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
        if (port == 0 || port > 0x10000 - SERIAL_REGISTERS) {
            return STATUS_OVERFLOW;
        }
        result.serial = true;
        result.serial_port = (uint16_t)port;
    }
    *console = result;
    return STATUS_OK;
}

static enum status parse_log(struct text value, enum log_level *level)
{
    static const char names[LOG_LEVEL_COUNT][8] = {"error", "warn", "info", "debug", "trace"};

    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (text_is(value, names[i])) {
            *level = (enum log_level)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

static enum status parse_choice(struct text value, const char *no, const char *yes, bool *choice)
{
    bool is_yes = text_is(value, yes);

    if (!is_yes && !text_is(value, no)) {
        return STATUS_INVALID;
    }
    *choice = is_yes;
    return STATUS_OK;
}

static enum status parse_boot(struct text value, enum app_boot *boot)
{
    bool chain = false;
    enum status status = parse_choice(value, "direct", "chain", &chain);

    if (status == STATUS_OK) {
        *boot = chain ? APP_BOOT_CHAIN : APP_BOOT_DIRECT;
    }
    return status;
}

static enum status parse_drive(struct text value, struct app_options *options)
{
    uint64_t number;
    enum status status = parse_number(value, &number);

    if (status != STATUS_OK) {
        return status;
    }
    if (number > UINT8_MAX) {
        return STATUS_OVERFLOW;
    }
    options->drive = (uint8_t)number;
    options->drive_given = true;
    return STATUS_OK;
}

static enum status parse_memory(struct text value, uint64_t *limit_bytes)
{
    uint64_t bytes;
    enum status status = parse_size(value, &bytes);

    if (status != STATUS_OK) {
        return status;
    }
    if (bytes < OPTIONS_MIN_MEMORY_BYTES) {
        return STATUS_INVALID;
    }
    *limit_bytes = bytes;
    return STATUS_OK;
}

static enum status parse_up_to(struct text value, uint64_t most, uint32_t *result)
{
    uint64_t number;
    enum status status = parse_number(value, &number);

    if (status != STATUS_OK) {
        return status;
    }
    if (number > most) {
        return STATUS_OVERFLOW;
    }
    *result = (uint32_t)number;
    return STATUS_OK;
}

/* Hexadecimal, of SHA-1 or SHA-256. */
static enum status parse_digest(struct text value, struct app_options *options)
{
    uint8_t digest[OPTIONS_DIGEST_MAX] = {0};

    if (value.bytes != 40 && value.bytes != 64) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned digit = digit_value(value.start[i]);
        if (digit > 15) {
            return STATUS_INVALID;
        }
        digest[i / 2] = (uint8_t)(digest[i / 2] << 4 | digit);
    }
    memcpy(options->nv_owner, digest, sizeof(digest));
    options->nv_owner_bytes = (unsigned)value.bytes / 2;
    return STATUS_OK;
}

/* The options of the hypapps that have PALs. */
static enum status parse_pal_word(struct text name, struct text value, struct app_options *options,
                                  const char **usage)
{
    if (text_is(name, "pal-budget")) {
        *usage = "pal-budget=MILLISECONDS, at most 10000, or 0 for no limit";
        return parse_up_to(value, OPTIONS_PAL_BUDGET_MAX_MS, &options->pal_budget_ms);
    }
    if (text_is(name, "tpm")) {
        *usage = "tpm=off|on";
        return parse_choice(value, "off", "on", &options->tpm);
    }
    if (text_is(name, "nv-owner")) {
        *usage = "nv-owner=DIGEST, 40 or 64 hexadecimal digits: PCR 0 of a PAL";
        return parse_digest(value, options);
    }
    *usage = NULL;
    return STATUS_INVALID;
}

/* *usage: how the option is written, NULL for a word that is not known. */
static enum status parse_word(struct text word, struct app_options *options, const char **usage)
{
    struct text value = word;
    struct text name = text_cut(&value, '=');

    if (text_is(name, "console")) {
        *usage = "console=none or a list of serial[:PORT],e9";
        return parse_console(value, &options->console);
    }
    if (text_is(name, "log")) {
        *usage = "log=error|warn|info|debug|trace";
        return parse_log(value, &options->log);
    }
    if (text_is(name, "boot")) {
        *usage = "boot=direct|chain";
        return parse_boot(value, &options->boot);
    }
    if (text_is(name, "drive")) {
        *usage = "drive=NUMBER, at most 0xff";
        return parse_drive(value, options);
    }
    if (text_is(name, "mem")) {
        *usage = "mem=SIZE[K|M|G], at least 16M";
        return parse_memory(value, &options->memory_limit_bytes);
    }
    if (text_is(name, "region")) { /* the platform has placed it there: it comes before us */
        uint64_t address;
        *usage = "region=ADDRESS, a multiple of 2 MiB";
        return parse_number(value, &address);
    }
    if (text_is(name, "on-panic")) {
        *usage = "on-panic=halt|reset";
        return parse_choice(value, "halt", "reset", &options->panic_reset);
    }
    return parse_pal_word(name, value, options, usage);
}

static void describe(enum status status, struct text word, const char *usage, char *message)
{
    int shown = word.bytes > WORD_SHOWN_BYTES ? WORD_SHOWN_BYTES : (int)word.bytes;

    if (usage == NULL) {
        snprintf(message, OPTIONS_MESSAGE_BYTES, "unknown option '%.*s'; known: %s", shown,
                 word.start, OPTIONS_KNOWN);
    } else {
        snprintf(message, OPTIONS_MESSAGE_BYTES, "%s '%.*s'; use %s",
                 status == STATUS_OVERFLOW ? "number too large in" : "bad value in", shown,
                 word.start, usage);
    }
}

void options_defaults(struct app_options *options)
{
    *options = (struct app_options){
        .console = {.serial = true, .serial_port = SERIAL_PORT_DEFAULT},
        .log = LOG_INFO,
        .boot = APP_BOOT_AUTO,
        .memory_limit_bytes = APP_MEMORY_UNLIMITED,
        .pal_budget_ms = OPTIONS_PAL_BUDGET_MS,
        .tpm = true,
    };
}

enum status options_parse(const char *cmdline, struct app_options *options,
                          char message[static OPTIONS_MESSAGE_BYTES])
{
    const char *at = options_skip_path(cmdline);

    options_defaults(options);
    message[0] = '\0';
    for (;;) {
        struct text word = {at, 0};
        while (at[word.bytes] != '\0' && !is_blank(at[word.bytes])) {
            word.bytes++;
        }
        if (word.bytes == 0) {
            return STATUS_OK;
        }
        const char *usage;
        enum status status = parse_word(word, options, &usage);
        if (status != STATUS_OK) {
            describe(status, word, usage, message);
            return status;
        }
        at += word.bytes;
        while (is_blank(*at)) {
            at++;
        }
    }
}

enum app_boot options_boot(const struct app_options *options, bool has_guest_modules)
{
    if (options->boot != APP_BOOT_AUTO) {
        return options->boot;
    }
    return has_guest_modules ? APP_BOOT_DIRECT : APP_BOOT_CHAIN;
}

/* BIOS drive numbers: disks count from 80h, emulation-free CD-ROM drives from E0h. */
#define BIOS_FIRST_DISK 0x80
#define BIOS_FIRST_CDROM 0xe0

uint8_t options_drive(const struct app_options *options, uint32_t bios_drive)
{
    if (options->drive_given) {
        return options->drive;
    }
    bool hard_disk = bios_drive >= BIOS_FIRST_DISK && bios_drive < BIOS_FIRST_CDROM;
    return hard_disk ? (uint8_t)bios_drive : BIOS_FIRST_DISK;
}

const char *options_skip_path(const char *string)
{
    while (is_blank(*string)) {
        string++;
    }
    if (*string == '/' || *string == '(') {
        while (*string != '\0' && !is_blank(*string)) {
            string++;
        }
    }
    while (is_blank(*string)) {
        string++;
    }
    return string;
}
