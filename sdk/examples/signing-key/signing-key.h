/* What the PAL and its program agree on. */
#ifndef SIGNING_KEY_H
#define SIGNING_KEY_H

#include <stdint.h>
#include <tv/abi.h>

enum { KEY_NEW, KEY_HASH, KEY_SIGN, KEY_ATTEST, KEY_OF_QUOTES }; /* what to do */

#define KEY_INPUT_BYTES 4096U /* a part of what is signed, or the nonce to attest with */
#define KEY_SECRET_BYTES 32U
#define KEY_BLOB_BYTES (KEY_SECRET_BYTES + TV_SEALED_OVERHEAD)
#define KEY_ANSWER_BYTES 640U /* public key, signature or evidence */

#endif
