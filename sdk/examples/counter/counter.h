/* What the PAL and its program agree on. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>
#include <tv/abi.h>

enum { COUNTER_FIRST = 1, COUNTER_NV = 2 }; /* flags */

#define COUNTER_BLOB_BYTES (sizeof(uint64_t) + TV_SEALED_OVERHEAD)
/* Results beside errors: the file is older than the NV memory knows, or newer. */
enum { COUNTER_OLDER = 1000, COUNTER_NEWER };

#endif
