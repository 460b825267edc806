/*
 * The guest interface: numbers and layouts that guests and hypervisor share.  Nothing but
 * <stdint.h> is needed, so the SDK uses this very file.  Numbers below 0x100 and their structures
 * are binding: clients of TrustVisor exist as binaries.  Numbers from 0x100 up are Nacre's own.
 * What is in memory is little endian and packed.
 *
 * Call: VMCALL with the number in EAX, arguments in (R/E)CX, DX, SI, DI, from ring 3.  The result
 * is in EAX (64-bit code: RAX): TV_OK or another value of enum tv_error.
 *
 * A PAL of the old interface is called like a C function at its entry point.  It returns its own
 * EAX/RAX and CF = 0; when the call failed, EAX/RAX is a value of enum tv_error and CF = 1.
 */
#ifndef TV_ABI_H
#define TV_ABI_H

#include <stdint.h>

/* CPUID with this EAX and ECX = 0 tells whether the interface is there. */
#define TV_CPUID_LEAF 0x7a567254U
#define TV_CPUID_PRESENT 0x7a767274U /* in EAX */
#define TV_CPUID_NO_PAL 0xffffffffU  /* in EBX: no PAL runs on this CPU; else its id */
#define TV_CPUID_64BIT 1U            /* in ECX: the caller is 64-bit code */
#define TV_CPUID_NESTED 2U           /* in ECX: the caller is a guest of the guest */

enum tv_number {
    TV_REG = 1,
    TV_UNREG = 2,
    TV_SEAL_1 = 3, /* of the first interface, deprecated */
    TV_UNSEAL_1 = 4,
    TV_QUOTE_1 = 5,
    TV_SHARE = 6,
    TV_PCRREAD = 7,
    TV_PCREXT = 8,
    TV_GENRAND = 9,
    TV_SEAL = 10,
    TV_UNSEAL = 11,
    TV_QUOTE = 12,
    TV_ID_GETPUB = 13,
    TV_NV_GETSIZE = 21,
    TV_NV_READALL = 22,
    TV_NV_WRITEALL = 23,
    TV_TEST = 255,
    TV_PAL_REGISTER = 0x100,   /* CX = address of struct tv_pal_register */
    TV_PAL_UNREGISTER = 0x101, /* CX = id of the PAL */
    TV_PAL_CALL = 0x102,       /* CX = address of struct tv_pal_call */
    TV_NV_EXPORT = 0x103,      /* CX = address of struct tv_nv_export */
    /* Only inside a PAL; CX = address of the structure named. */
    TV_PCR_READ = 0x110,    /* struct tv_pcr_value */
    TV_PCR_EXTEND = 0x111,  /* struct tv_pcr_value */
    TV_RANDOM = 0x112,      /* struct tv_buffer */
    TV_SEAL_DATA = 0x113,   /* struct tv_seal */
    TV_UNSEAL_DATA = 0x114, /* struct tv_unseal */
    TV_QUOTE_PAL = 0x115,   /* struct tv_quote */
    TV_QUOTE_KEY = 0x116    /* struct tv_buffer: public key of quotes, SubjectPublicKeyInfo, DER */
};

#define TV_SECTIONS_MAX 10 /* of REG */
#define TV_PARAMS_MAX 10

enum tv_section_type {
    TV_SECTION_CODE = 1,       /* PAL: read, execute.  OS: nothing */
    TV_SECTION_DATA = 2,       /* PAL: read, write.  OS: nothing */
    TV_SECTION_PARAM = 3,      /* as DATA; the first one takes the parameters */
    TV_SECTION_STACK = 4,      /* as DATA; the first one is the PAL's stack */
    TV_SECTION_SHARED_CODE = 5 /* both: read, execute */
};

enum tv_param_type {
    TV_PARAM_INTEGER = 1, /* size ignored */
    TV_PARAM_POINTER = 2  /* size in machine words of the caller */
};

struct tv_pal_section {
    uint32_t type;
    uint32_t page_num; /* 4-KiB pages */
    uint64_t start_addr;
} __attribute__((packed));

struct tv_pal_sections {
    uint32_t num_sections;
    uint32_t pad;
    struct tv_pal_section sections[TV_SECTIONS_MAX]; /* those beyond num_sections may be unmapped */
} __attribute__((packed));

struct tv_pal_param {
    uint32_t type;
    uint32_t pad;
    uint64_t size;
} __attribute__((packed));

struct tv_pal_params {
    uint32_t num_params;
    uint32_t pad;
    struct tv_pal_param params[TV_PARAMS_MAX];
} __attribute__((packed));

/* {address, length} and {address, address of length} arguments of SEAL, UNSEAL and QUOTE. */
struct tv_pair32 {
    uint32_t address, length;
} __attribute__((packed));

struct tv_pair64 {
    uint64_t address, length;
} __attribute__((packed));

/* In the PARAM section from byte 0x10 on: a u64 count, then these, last parameter first. */
#define TV_PARAM_AREA_OFFSET 0x10
struct tv_passed_param {
    uint64_t type, size_bytes, value; /* a pointer's bytes follow */
} __attribute__((packed));

/*
 * Nacre's own interface: PALs have a number instead of an address, up to TV_PAL_SECTIONS_MAX
 * sections, parameters with a size in bytes and a direction, or none; all addresses are 64-bit
 * whatever the caller's width.
 */
#define TV_PAL_VERSION 1U
#define TV_PAL_SECTIONS_MAX 32

/* tv_pal_register.flags */
#define TV_PAL_VECTOR                                                                              \
    1U /* the PAL may use x87, SSE and what the CPU has of AVX; else they fault                    \
        */

enum tv_direction { TV_IN = 1, TV_OUT = 2, TV_IN_OUT = 3 };

struct tv_pal_parameter {
    uint32_t type;      /* enum tv_param_type */
    uint32_t direction; /* of a pointer: enum tv_direction; of an integer: 0 */
    uint64_t size;      /* of a pointer: bytes, not 0; of an integer: 0 */
} __attribute__((packed));

struct tv_pal_register {
    uint32_t version; /* TV_PAL_VERSION */
    uint32_t flags;   /* TV_PAL_VECTOR */
    uint64_t entry;
    uint32_t section_count, parameter_count;
    uint64_t sections;   /* address of section_count struct tv_pal_section */
    uint64_t parameters; /* address of parameter_count struct tv_pal_parameter */
    /* Written back. */
    uint32_t id;             /* of the PAL; TV_CPUID_NO_PAL after an error */
    uint32_t faulty;         /* after an error: index of the section or parameter, else 0 */
    uint8_t measurement[32]; /* SHA-256 identity, docs/pal-interface.md */
} __attribute__((packed));

struct tv_pal_call {
    uint32_t id;
    uint32_t argument_count; /* as many as the PAL has parameters */
    uint64_t arguments; /* address of argument_count u64; of a 32-bit PAL the low halves count */
    /* Written back. */
    uint64_t result; /* the PAL's RAX or EAX; 0 after an error */
    uint32_t error;  /* as in EAX */
    uint32_t vector; /* TV_ERROR_PAL_FAULT: of the exception */
} __attribute__((packed));

/*
 * The micro-TPM.  A PAL has TV_PCRS registers in two banks: SHA-1 for numbers below 0x100, SHA-256
 * for ours; an extension of one bank leaves the other alone.  Register 0 is the PAL's identity at
 * registration, the others are zero.  Selections are bit maps: bit n is register n.
 */
#define TV_PCRS 8U
#define TV_RANDOM_MAX 4096U /* bytes of one GENRAND or RANDOM */
#define TV_SEALED_MAX 2048U /* bytes of a sealed blob: what is sealed and TV_SEALED_OVERHEAD */
#define TV_SEALED_OVERHEAD 192U
#define TV_NV_BYTES 32U
#define TV_NV_BLOB_BYTES 96U

/* Old numbers, as TPM 1.2 has them: {u16 sizeOfSelect; u8 bitmap}; 20-byte digests. */
struct tv_pcr_selection {
    uint16_t size; /* bytes of the bit map: 1 */
    uint8_t bitmap;
} __attribute__((packed));

struct tv_pcr_info {
    struct tv_pcr_selection selection;
    uint8_t digest_at_release[20];
    uint8_t digest_at_creation[20]; /* ignored: the hypervisor computes it */
} __attribute__((packed));

struct tv_pcr_value {
    uint32_t index; /* below TV_PCRS */
    uint32_t pad;
    uint8_t value[32]; /* TV_PCR_EXTEND: the digest; the register's new value is written back */
} __attribute__((packed));

/* TV_RANDOM: all of length is filled or nothing.  TV_QUOTE_KEY: length is room, and then size. */
struct tv_buffer {
    uint64_t address;
    uint32_t length;
    uint32_t pad;
} __attribute__((packed));

struct tv_seal {
    uint64_t data, blob;  /* addresses */
    uint32_t data_bytes;  /* at most TV_SEALED_MAX - TV_SEALED_OVERHEAD */
    uint32_t blob_bytes;  /* room; size is written back: data_bytes + TV_SEALED_OVERHEAD */
    uint32_t selection;   /* SHA-256 registers that must have digest to unseal; 0: none */
    uint32_t flags;       /* TV_SEAL_... */
    uint8_t digest[32];   /* tv_composite of the registers at release; see flags */
    uint8_t identity[32]; /* of the PAL that may unseal; see flags */
} __attribute__((packed));
#define TV_SEAL_DIGEST 1U   /* digest counts; else the registers as they are now */
#define TV_SEAL_IDENTITY 2U /* identity counts; else the calling PAL */

struct tv_unseal {
    uint64_t blob, data; /* addresses */
    uint32_t blob_bytes;
    uint32_t data_bytes; /* room; size is written back */
    /* Written back: who sealed it, and the sealer's registers of the selection then. */
    uint8_t sealer[32];
    uint8_t digest_at_creation[32];
} __attribute__((packed));

struct tv_quote {
    uint64_t evidence;       /* address */
    uint32_t evidence_bytes; /* room; size is written back */
    uint32_t selection;      /* SHA-256 registers whose values the evidence shows */
    uint8_t nonce[32];       /* of the verifier's */
    uint8_t data[64];        /* of the PAL's, signed with the rest */
} __attribute__((packed));

/*
 * Evidence, version 1 (docs/evidence.md): this header, the values of the registers selected in
 * rising order (32 bytes each), and an ECDSA P-256 signature (DER) of all before it with SHA-256.
 */
#define TV_EVIDENCE_MAGIC "NACREQT"
#define TV_EVIDENCE_VERSION 1U
struct tv_evidence {
    char magic[8]; /* with its NUL */
    uint32_t version;
    uint32_t signed_bytes; /* offset of the signature */
    uint32_t flags;        /* TV_EVIDENCE_... */
    uint32_t root;         /* enum tv_root_source */
    uint32_t hypervisor;   /* version: major << 16 | minor */
    uint32_t selection;
    uint8_t nonce[32];
    uint8_t identity[32];
    uint8_t data[64];
    uint8_t key[32]; /* SHA-256 of the public key's SubjectPublicKeyInfo */
} __attribute__((packed));
#define TV_EVIDENCE_DEBUG 1U /* a build for debugging */
#define TV_EVIDENCE_SIGNATURE_MAX 72U
#define TV_EVIDENCE_MAX                                                                            \
    (sizeof(struct tv_evidence) + sizeof(uint8_t[TV_PCRS][32]) + TV_EVIDENCE_SIGNATURE_MAX)
#define TV_QUOTE_KEY_BYTES 91U

/* Where the secret comes from that all keys are derived from. */
enum tv_root_source {
    TV_ROOT_NONE = 0,
    TV_ROOT_TPM = 1,      /* the machine's TPM */
    TV_ROOT_MODULE = 2,   /* a file that the boot loader brought */
    TV_ROOT_RANDOM = 3,   /* made at this boot: nothing survives it */
    TV_ROOT_SIMULATED = 4 /* known to everybody */
};

/*
 * Quotes of the old numbers sign {1, 1, 0, marks, 'QUOT', ...}: marks is 0, as TPM 1.2 wants it,
 * for a release build with a lasting secret, so that old verifiers refuse all others.
 */
#define TV_MARK_DEBUG 1U
#define TV_MARK_RANDOM 2U
#define TV_MARK_SIMULATED 4U

/* NV memory, sealed by the hypervisor, for the boot loader to bring it back ("nv" module). */
struct tv_nv_export {
    uint8_t blob[TV_NV_BLOB_BYTES]; /* written */
} __attribute__((packed));

_Static_assert(sizeof(struct tv_pcr_selection) == 3 && sizeof(struct tv_pcr_info) == 43,
               "TPM 1.2's selection and PCR info with one byte of bit map");
_Static_assert(sizeof(struct tv_pcr_value) == 40 && sizeof(struct tv_buffer) == 16 &&
                   sizeof(struct tv_seal) == 96 && sizeof(struct tv_unseal) == 88 &&
                   sizeof(struct tv_quote) == 112 && sizeof(struct tv_evidence) == 192,
               "structures of Nacre's micro-TPM");

_Static_assert(sizeof(struct tv_pal_parameter) == 16, "tv_pal_parameter of Nacre's interface");
_Static_assert(sizeof(struct tv_pal_register) == 80, "tv_pal_register of Nacre's interface");
_Static_assert(sizeof(struct tv_pal_call) == 32, "tv_pal_call of Nacre's interface");

_Static_assert(sizeof(struct tv_pal_section) == 16, "tv_pal_section of the TrustVisor interface");
_Static_assert(sizeof(struct tv_pal_sections) == 168, "tv_pal_sections: 8 bytes and 10 sections");
_Static_assert(sizeof(struct tv_pal_param) == 16, "tv_pal_param of the TrustVisor interface");
_Static_assert(sizeof(struct tv_pal_params) == 168, "tv_pal_params: 8 bytes and 10 parameters");
_Static_assert(sizeof(struct tv_pair32) == 8 && sizeof(struct tv_pair64) == 16,
               "pairs are two words of the caller's width");
_Static_assert(sizeof(struct tv_passed_param) == 24, "three u64 for each parameter passed");

/* Every result of both interfaces.  Values are part of the interface: append only. */
enum tv_error {
    TV_OK = 0,
    TV_ERROR_UNKNOWN_NUMBER,   /* no such hypercall */
    TV_ERROR_NOT_AVAILABLE,    /* known, but this build does not have it */
    TV_ERROR_NO_SECTIONS,      /* num_sections is 0 */
    TV_ERROR_SECTION_COUNT,    /* more sections than are allowed */
    TV_ERROR_SECTION_TYPE,     /* a section's type is none of enum tv_section_type */
    TV_ERROR_SECTION_ALIGN,    /* a section does not start at a page */
    TV_ERROR_SECTION_EMPTY,    /* a section has no pages */
    TV_ERROR_SECTION_HUGE,     /* the PAL has more pages than are allowed */
    TV_ERROR_SECTION_RANGE,    /* a section wraps or leaves the user's half of the address space */
    TV_ERROR_SECTION_OVERLAP,  /* two sections of the PAL overlap */
    TV_ERROR_PAL_OVERLAP,      /* a section overlaps one of another PAL */
    TV_ERROR_PAL_DUPLICATE,    /* a PAL with this entry point is registered already */
    TV_ERROR_PAL_ENTRY,        /* the entry point is not in a CODE section */
    TV_ERROR_NO_PARAM_SECTION, /* a PAL needs a PARAM section */
    TV_ERROR_NO_STACK_SECTION, /* a PAL needs a STACK section */
    TV_ERROR_TOO_MANY_PALS,    /* the registry is full */
    TV_ERROR_NO_SUCH_PAL,      /* nothing is registered under this entry point or number */
    TV_ERROR_NOT_USER,         /* not called from ring 3 */
    TV_ERROR_WIDTH,            /* called from 16-bit code */
    TV_ERROR_ADDRESS,          /* an argument's memory cannot be read, or written, by the caller */
    TV_ERROR_VERSION,          /* of tv_pal_register */
    TV_ERROR_FLAGS,            /* of tv_pal_register: unknown, or the CPU lacks the feature */
    TV_ERROR_PARAM_COUNT,      /* too many parameters, or another number of arguments */
    TV_ERROR_PARAM_TYPE,       /* a parameter's type or direction is none of the enums */
    TV_ERROR_PARAM_SIZE,       /* the parameters do not fit the PARAM section */
    TV_ERROR_STACK_SIZE,       /* the parameters do not fit the STACK section */
    TV_ERROR_PAGE_ABSENT,      /* a page of a section is not mapped by the caller's page tables */
    TV_ERROR_PAGE_RIGHTS,      /* the caller may not read, write or execute it */
    TV_ERROR_PAGE_NOT_RAM,     /* it is no RAM of the guest */
    TV_ERROR_PAGE_TAKEN,       /* it belongs to a PAL already, or twice to this one */
    TV_ERROR_NO_MEMORY,        /* the hypervisor has no table pages left */
    TV_ERROR_PAL_BUSY,         /* the PAL is running or being changed on another CPU */
    TV_ERROR_PAL_ENDED,        /* the PAL was ended by an earlier error; unregister it */
    TV_ERROR_PAL_FAULT,        /* ended now: it raised an exception, or jumped out */
    TV_ERROR_PAL_TIMEOUT,      /* ended now: it ran longer than the time budget */
    TV_ERROR_PAL_LOST,         /* ended now: the OS took memory of it while it ran */
    TV_ERROR_INSIDE_PAL,       /* a PAL may not make this call */
    TV_ERROR_OUTSIDE_PAL,      /* only a PAL may make this call */
    TV_ERROR_SHARE,            /* SHARE: no ranges, too many, or one is empty or not page-aligned */
    TV_ERROR_PCR,              /* no such register, or a selection names one that is not there */
    TV_ERROR_LENGTH,           /* more bytes than the call can take, or less room than it needs */
    TV_ERROR_NO_ENTROPY,       /* the CPU's random numbers are missing or failed their tests */
    TV_ERROR_NO_ROOT,          /* there is no secret to derive keys from */
    TV_ERROR_BLOB_FORMAT,      /* no sealed blob of a version that is known */
    TV_ERROR_BLOB_CHANGED,     /* changed, or sealed under another root secret */
    TV_ERROR_BLOB_OWNER,       /* sealed to another PAL */
    TV_ERROR_BLOB_PCR,         /* the registers do not have the values that it was sealed to */
    TV_ERROR_NV_OWNER,         /* NV memory is another PAL's, or nobody's */
    TV_ERROR_ABSENT,           /* SDK only: no TrustVisor here, and no simulation wanted */
    TV_ERROR_PAL_FILE,         /* SDK only: the program was linked without a PAL, or wrongly */
    TV_ERROR_SYSTEM,           /* SDK only: the operating system refused memory; see errno */
    TV_ERROR_COUNT
};

/* Short text of an error, never NULL. */
const char *tv_error_text(enum tv_error error);

#endif
