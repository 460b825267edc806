/* What the PAL and its program agree on. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>
#include <tv/abi.h>

enum { COUNTER_FIRST = 1, COUNTER_NV = 2 }; /* flags */

#define COUNTER_BLOB_BYTES (sizeof(uint32_t) + TV_SEALED_OVERHEAD)
#define COUNTER_STALE 1000U /* result: the file is older than the NV memory knows */

#endif
