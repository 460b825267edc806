#include <base/status.h>

/* In the order of the enum. */
static const char *const texts[] = {
    "ok",        "out of memory",  "invalid argument",           "not supported",
    "not found", "ranges overlap", "value out of range",         "address not accessible",
    "timed out", "busy",           "hardware reported an error",
};

_Static_assert(sizeof texts / sizeof texts[0] == STATUS_COUNT, "one text for each status");

const char *status_text(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? texts[status] : "unknown status";
}
