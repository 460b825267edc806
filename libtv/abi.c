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
};

_Static_assert(sizeof texts / sizeof texts[0] == TV_ERROR_COUNT, "one text for each error");

const char *tv_error_text(enum tv_error error)
{
    return (unsigned)error < TV_ERROR_COUNT ? texts[error] : "unknown error";
}
