/*
 * Nacre's own command line: the words that follow the image's file name in the boot loader's
 * configuration (docs/boot.md lists them).  Pure: parsing changes nothing but the caller's struct.
 * Boot CPU only.  An unknown word or a bad value fails with one line that names it.
 */
#ifndef APPS_OPTIONS_H
#define APPS_OPTIONS_H

#include <base/log.h>
#include <base/status.h>
#include <hw/boot.h>
#include <hw/console.h>
#include <stdbool.h>
#include <stdint.h>

enum app_boot { APP_BOOT_AUTO, APP_BOOT_DIRECT, APP_BOOT_CHAIN };

#define APP_MEMORY_UNLIMITED UINT64_MAX

/* A guest with less RAM than this starts no supported OS. */
#define OPTIONS_MIN_MEMORY_BYTES (16ULL << 20)

/* A PAL keeps interrupts from its CPU: longer than this a guest would take for a fault. */
#define OPTIONS_PAL_BUDGET_MS 100
#define OPTIONS_PAL_BUDGET_MAX_MS 10000

#define OPTIONS_DIGEST_MAX 32

struct app_options {
    struct hw_console_config console;
    enum log_level log;
    enum app_boot boot;
    uint8_t drive; /* BIOS drive of chain mode, valid if drive_given */
    bool drive_given;
    uint64_t memory_limit_bytes;          /* RAM from this address up is kept from the guest */
    bool panic_reset;                     /* reset, not halt, after a broken invariant */
    uint32_t pal_budget_ms;               /* a PAL that runs longer is ended; 0: no limit */
    unsigned nv_owner_bytes;              /* of nv_owner: 20 (SHA-1), 32 (SHA-256), 0: nobody */
    uint8_t nv_owner[OPTIONS_DIGEST_MAX]; /* PCR 0 of the PAL that may use the NV memory */
    bool tpm;                             /* take the root secret from the TPM if there is one */
};

/* Longest message of options_parse() with its NUL; longer words are cut in it. */
#define OPTIONS_MESSAGE_BYTES 200

void options_defaults(struct app_options *options);

/*
 * Starts from the defaults.  On STATUS_INVALID or STATUS_OVERFLOW (number too large) message holds
 * the line to show and *options what was understood up to there (so the console is usable if it was
 * named first); else message is "".
 */
enum status options_parse(const char *cmdline, struct app_options *options,
                          char message[static OPTIONS_MESSAGE_BYTES]);

/* The mode that AUTO stands for: direct if there is a module to boot, else chain. */
enum app_boot options_boot(const struct app_options *options, bool has_guest_modules);

/*
 * The drive for chain mode: as given, else the disk that we were loaded from, else the first disk
 * (we came from a CD, a stick that the BIOS shows as one, or the network).
 */
uint8_t options_drive(const struct app_options *options, uint32_t bios_drive);

/*
 * The words after the file name: skips blanks and a first word that begins with '/' or '(', which
 * some loaders put there.
 */
const char *options_skip_path(const char *string);

#endif
