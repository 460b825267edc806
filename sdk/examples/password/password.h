/* What the PAL and its program agree on. */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stdint.h>
#include <tv/abi.h>

enum { PASSWORD_SET, PASSWORD_CHECK };                               /* what to do */
enum { PASSWORD_RIGHT = 0, PASSWORD_WRONG = 1000, PASSWORD_LOCKED }; /* results beside errors */

#define PASSWORD_MOST 64U /* bytes of one */
#define PASSWORD_TRIES 5U
#define PASSWORD_ITERATIONS 2000U

struct password_state { /* inside the blob */
    uint8_t salt[16], hash[32];
    uint32_t failures;
};
#define PASSWORD_BLOB_BYTES (sizeof(struct password_state) + TV_SEALED_OVERHEAD)

#endif
