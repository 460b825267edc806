/* The root secret of simulated PALs: everybody knows it, so their quotes prove nothing. */
#ifndef NACRE_SIMULATION_H
#define NACRE_SIMULATION_H

#define PAL_SIMULATION_SECRET "simulated root, known to anyone!"
/*
 * SHA-256 of the public keys of its quotes, of evidence (SubjectPublicKeyInfo) and of old ones
 * (RSAPublicKey): a verifier never believes these keys.
 */
#define PAL_SIMULATION_KEY_ID                                                                      \
    {                                                                                              \
        0x89, 0x32, 0xd1, 0x71, 0x5f, 0x98, 0xdd, 0x0a, 0x4e, 0x59, 0xef, 0xac, 0x84, 0xba, 0xc3,  \
            0x82, 0x7c, 0xa4, 0x1e, 0xb9, 0x5a, 0x6c, 0x39, 0xac, 0xfe, 0x4b, 0xdf, 0x88, 0x7b,    \
            0xc3, 0xb4, 0x41                                                                       \
    }
#define PAL_SIMULATION_RSA_ID                                                                      \
    {                                                                                              \
        0xb9, 0xa0, 0xc9, 0xab, 0x19, 0x50, 0x59, 0xe8, 0x8d, 0xb2, 0x13, 0x66, 0xd4, 0x12, 0x68,  \
            0xe8, 0xa1, 0x3d, 0x99, 0x2e, 0x03, 0x21, 0xef, 0x8f, 0x87, 0x47, 0x70, 0x77, 0x82,    \
            0x39, 0x75, 0xc2                                                                       \
    }
_Static_assert(sizeof(PAL_SIMULATION_SECRET) == 32 + 1, "as long as a root secret");

#endif
