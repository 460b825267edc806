"""BearSSL: the cryptography that libtv and hypapps see as 'crypto'. Data only; see
picolibc/recipe.py.

Its 277 files would take 14 s of CPU time in each variant of the image, these take 2: what the image
calls (SHA-1, SHA-256) and what sealing and quoting will need (HMAC, HMAC-DRBG, AES-GCM, RSA, ECDSA
on P-256). Of several implementations it is the constant-time one without vector code. As an archive
only what is called is linked.
"""

NAME = 'bearssl'
VERSION = '0.6'

ARCHIVE = 'bearssl_0.6+dfsg.1.orig.tar.xz'
POOL_PATH = 'pool/main/b/bearssl/' + ARCHIVE
SHA256 = '102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004'
PACKAGE_FILE = None

UNPACK = ['inc/', 'src/', 'test/test_crypto.c', 'LICENSE.txt']

INCLUDE = ['inc']
PRIVATE_INCLUDE = ['src']

# Nothing that the image has not: vector registers, an operating system, a clock. RDRAND is the
# hypervisor's own to ask.
DEFINES = ['BR_AES_X86NI=0', 'BR_SSE2=0', 'BR_RDRAND=0', 'BR_USE_URANDOM=0', 'BR_USE_GETENTROPY=0',
           'BR_USE_UNIX_TIME=0']

SOURCES = {
    'src/codec': 'ccopy dec32be dec32le enc32be enc32le',
    'src/hash': 'sha1 sha2small ghash_ctmul64',
    'src/mac': 'hmac',
    'src/rand': 'hmac_drbg',
    'src/aead': 'gcm',
    'src/symcipher': 'aes_ct64 aes_ct64_ctr aes_ct64_enc',
    'src/int': '''
        i31_add i31_bitlen i31_decmod i31_decode i31_decred i31_encode i31_fmont i31_iszero
        i31_moddiv i31_modpow i31_modpow2 i31_montmul i31_mulacc i31_muladd i31_ninv31 i31_reduce
        i31_rshift i31_sub i31_tmont i32_div32 i62_modpow2''',
    'src/rsa': '''
        rsa_i31_keygen rsa_i31_keygen_inner rsa_i31_modulus rsa_i31_pkcs1_sign rsa_i31_pkcs1_vrfy
        rsa_i31_priv rsa_i31_pub rsa_i31_pubexp rsa_i62_keygen rsa_i62_pkcs1_sign rsa_i62_priv
        rsa_pkcs1_sig_pad rsa_pkcs1_sig_unpad''',
    'src/ec': '''
        ec_keygen ec_p256_m31 ec_pubkey ec_secp256r1 ec_secp384r1 ec_secp521r1 ecdsa_i31_bits
        ecdsa_i31_sign_asn1 ecdsa_i31_sign_raw ecdsa_i31_vrfy_raw ecdsa_rta''',
}

# Only BearSSL's own tests call these (tests/unit/crypto): never a part of the image.
TEST_SOURCES = {
    'src/codec': 'dec64be enc64be',
    'src/hash': 'sha2big ghash_ctmul32',
    'src/symcipher': '''
        aes_ct aes_ct_ctr aes_ct_enc aes_ct64_cbcdec aes_ct64_cbcenc aes_ct64_dec chacha20_ct''',
    'src/ec': 'ec_prime_i31 ecdsa_atr ecdsa_i31_vrfy_asn1',
}

# How many words an ECDSA nonce has is secret, but a shift goes over those that are not zero. On
# P-256 there is nothing to shift (tests/sdk/constant_time.c shows the difference).
PATCHES = [
    ('src/ec/ecdsa_i31_bits.c',
     'br_i31_rshift(x, sc);',
     'if (sc != 0) {\n\t\tbr_i31_rshift(x, sc);\n\t}', 1),
]
OWN_SOURCES = []
