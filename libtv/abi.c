#include <tv/abi.h>

/* In the order of the enum. */
static const char *const texts[] = {
    "success",
    "unknown hypercall number",
    "hypercall not available in this build",
    "no sections",
    "too many sections",
    "unknown section type",
    "section start is not page-aligned",
    "section has no pages",
    "too many pages",
    "section wraps or leaves the user's address space",
    "sections overlap",
    "section overlaps another PAL",
    "entry point is registered already",
    "entry point is not in a code section",
    "no parameter section",
    "no stack section",
    "too many PALs",
    "no such PAL",
    "not called from ring 3",
    "called from 16-bit code",
    "argument's memory is not accessible",
    "unknown version",
    "unknown or unsupported flag",
    "wrong number of parameters",
    "unknown parameter type or direction",
    "parameters do not fit the parameter section",
    "parameters do not fit the stack section",
    "page of a section is not mapped",
    "caller lacks rights to a page of a section",
    "page of a section is not RAM",
    "page of a section belongs to a PAL already",
    "no table pages left",
    "PAL is busy on another CPU",
    "PAL was ended by an earlier error",
    "PAL raised an exception or jumped out",
    "PAL ran longer than its time budget",
    "PAL's memory was taken by the OS",
    "call not allowed inside a PAL",
    "call only allowed inside a PAL",
    "range to share is empty, unaligned or one too many",
    "no such platform configuration register",
    "length is too large, or room too small",
    "no random numbers: the CPU has none or they failed their tests",
    "no root secret to derive keys from",
    "not a sealed blob of a known version",
    "sealed blob was changed, or sealed under another root secret",
    "sealed to another PAL",
    "registers do not have the values that the blob was sealed to",
    "NV memory belongs to another PAL",
    "no TrustVisor here; PAL_SIMULATION=1 does without",
    "program was linked without a PAL, or not as docs/pal.md says",
    "operating system refused memory for the PAL; see errno",
};

_Static_assert(sizeof texts / sizeof texts[0] == TV_ERROR_COUNT, "one text for each error");

const char *tv_error_text(enum tv_error error)
{
    return (unsigned)error < TV_ERROR_COUNT ? texts[error] : "unknown error";
}
