/*
 * Direct boot of a Linux bzImage by the 32-bit boot protocol (Linux
 * Documentation/arch/x86/boot.rst, "32-bit Boot Protocol"): check the image, decide where
 * everything goes, then move it there. linux_inspect() and linux_plan() are pure; linux_load()
 * writes guest memory through hw_phys_*. Boot CPU only, before any guest runs.  Nothing is trusted:
 * every size of a module is bounded.
 */
#ifndef APPS_LINUX_H
#define APPS_LINUX_H

#include "memmap.h"

#include <base/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start of the module that linux_inspect() looks at. */
#define LINUX_HEADER_BYTES 0x290

enum linux_error {
    LINUX_OK = 0,
    LINUX_SHORT,        /* shorter than a header */
    LINUX_NO_SIGNATURE, /* no 0xAA55 at 0x1fe */
    LINUX_NO_MAGIC,     /* no "HdrS" at 0x202 */
    LINUX_OLD,          /* protocol before 2.10 */
    LINUX_NOT_HIGH,     /* zImage: loads at 0x10000 */
    LINUX_BAD_HEADER,   /* sizes or alignment that no kernel has */
    LINUX_TRUNCATED,    /* shorter than its own header says */
    LINUX_BAD_MODULES,  /* modules overlap or wrap */
    LINUX_CMDLINE_LONG, /* more than the kernel takes */
    LINUX_NO_KERNEL_ROOM,
    LINUX_NO_INITRD_ROOM,
    LINUX_NO_LOW_ROOM,
    LINUX_MAP_LONG, /* more ranges than the zero page holds */
    LINUX_FAULT,    /* memory could not be read or written */
    LINUX_ERROR_COUNT
};

/* What is wrong and what to change, one line; never NULL. */
const char *linux_error_text(enum linux_error error);

struct linux_image {
    uint32_t header_end;   /* offset behind the setup header, at most LINUX_HEADER_BYTES */
    uint64_t setup_bytes;  /* real-mode part, not used by the 32-bit protocol */
    uint64_t kernel_bytes; /* protected-mode part, follows it */
    uint64_t pref_address;
    uint64_t span_bytes; /* what the kernel needs from where it runs until it has its own map */
    uint32_t kernel_alignment;
    bool relocatable;
    uint64_t initrd_max;        /* the initrd ends at or below this address */
    uint32_t cmdline_max_bytes; /* without NUL */
    uint16_t version;
};

struct linux_request {
    uint64_t kernel, kernel_bytes; /* module as the loader put it */
    uint64_t initrd, initrd_bytes; /* bytes 0: none */
    const char *cmdline;           /* without file name */
    const struct memmap *map;      /* the guest's: nothing is put outside its RAM */
    uint64_t rsdp;                 /* 0: the kernel searches itself */
};

struct linux_plan {
    uint64_t kernel_to;
    uint64_t initrd_to; /* equal to the request's if it can stay */
    uint64_t low;       /* LINUX_LOW_BYTES: zero page, GDT and command line */
};

#define LINUX_LOW_BYTES 8192
#define LINUX_LOW_GDT 4096
#define LINUX_LOW_CMDLINE (LINUX_LOW_GDT + 64)

/* State that the guest's CPU starts with; registers not named are 0, interrupts are off. */
struct linux_entry {
    uint32_t eip;
    uint32_t esi; /* zero page */
    uint32_t gdt_base;
    uint16_t gdt_limit;
    uint16_t cs, ds; /* flat 4-GiB selectors; ds also for ES, SS, FS, GS */
};

/* header: the first LINUX_HEADER_BYTES of the module, or all if it is shorter. */
enum linux_error linux_inspect(const uint8_t *header, uint64_t module_bytes,
                               struct linux_image *image);

enum linux_error linux_plan(const struct linux_image *image, const struct linux_request *request,
                            struct linux_plan *plan);

/* All of it: inspect, plan, move, write.  Memory is changed only once nothing but a fault can fail.
 */
enum linux_error linux_load(const struct linux_request *request, struct linux_entry *entry);

#endif
