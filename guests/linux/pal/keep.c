/*
 * What outlives a boot: pal keep seals and quotes, and says as hex what it got; the host's test
 * puts that into files of the next boot's initramfs, where pal back opens it.  Files:
 * /kept/NAMEWIDTH.
 */
#include "commands.h"
#include "services.h"

#define SECRET_BYTES 40U
#define BLOB_BYTES (SECRET_BYTES + TV_SEALED_OVERHEAD)
#define OWNER 1U /* variants of the PAL */
#define OTHER 2U
#define HEADER_BYTES (TV_SEALED_OVERHEAD - 16U) /* of a blob; then the data, then the tag */

/* No two bytes are the same, so that the host can look for it on the console. */
static void make_secret(uint8_t secret[SECRET_BYTES])
{
    for (unsigned i = 0; i < SECRET_BYTES; i++) {
        secret[i] = (uint8_t)(0x6e + 5 * i);
    }
}

static void check_secret(const uint8_t *data, uint32_t bytes, const char *what)
{
    uint8_t secret[SECRET_BYTES];
    bool is_same = bytes == SECRET_BYTES;

    make_secret(secret);
    for (unsigned i = 0; i < bytes && is_same; i++) {
        is_same = data[i] == secret[i];
    }
    check(is_same, what, bytes);
}

static void keep_quotes(const struct new_pal *pal)
{
    uint8_t out[1024], signature[256];
    const uint8_t nonce[32] = {'n', 'o', 'n', 'c', 'e'};
    uint32_t bytes;

    check_error(service_quote(pal, 3, nonce, out, &bytes), TV_OK, "quote");
    say_bytes("evidence", out, bytes);
    check_error(service_key(pal, out, &bytes), TV_OK, "key");
    say_bytes("key", out, bytes);
    check_error(service_old_quote(pal, nonce, signature, out, &bytes), TV_OK, "old-quote");
    say_bytes("signature", signature, sizeof(signature));
    say_bytes("composite", out, bytes);
    check_error(service_first_quote(pal, nonce, out, &bytes), TV_OK, "first-quote");
    say_bytes("first-quote", out, bytes);
    check_error(service_old_key(pal, out, &bytes), TV_OK, "old-key");
    say_bytes("old-key", out, bytes);
}

/* Anew each time: what is kept is the same, the boot is another one. */
void command_keep(int count, char *const arguments[])
{
    uint8_t secret[SECRET_BYTES], blob[BLOB_BYTES];
    struct new_pal owner, other;
    uint32_t bytes;

    (void)count;
    (void)arguments;
    make_secret(secret);
    service_make(&owner, OWNER);
    service_make(&other, OTHER);
    say_bytes("identity", owner.request.measurement, 32);
    check_error(service_seal(&owner, secret, SECRET_BYTES, 3, NULL, blob), TV_OK, "seal");
    say_bytes("own", blob, sizeof(blob));
    check_error(service_seal(&owner, secret, SECRET_BYTES, 0, other.request.measurement, blob),
                TV_OK, "seal-to-other");
    say_bytes("others", blob, sizeof(blob));
    check_error(service_old_seal(&owner, secret, SECRET_BYTES, blob, &bytes), TV_OK, "old-seal");
    check_equal(bytes, sizeof(blob), "old-seal-bytes");
    say_bytes("old", blob, bytes);
    keep_quotes(&owner);
    new_end(&owner);
    new_end(&other);
}

/* Reads /kept/NAMEWIDTH; it must have that many bytes. */
static void read_kept(const char *name, uint8_t *to, unsigned bytes)
{
    char path[40] = "/kept/";
    unsigned end = 6;

    for (; *name != '\0'; name++) {
        path[end++] = *name;
    }
    path[end++] = WIDTH == 64 ? '6' : '3';
    path[end] = WIDTH == 64 ? '4' : '2';
    int file = sys_open(path);
    check(file >= 0, "open-kept", (unsigned)-file);
    check_equal((uint64_t)sys_read(file, to, bytes), bytes, "read-kept");
    sys_close(file);
}

/* Each bit of header and tag, and a sample of the body. */
static void check_every_bit(const struct new_pal *pal, const uint8_t blob[BLOB_BYTES])
{
    uint8_t changed[BLOB_BYTES], data[1024];
    uint32_t bytes;

    for (unsigned bit = 0; bit < 8 * BLOB_BYTES; bit++) {
        bool is_body = bit / 8 >= HEADER_BYTES && bit / 8 < HEADER_BYTES + SECRET_BYTES;
        if (is_body && bit % 29 != 0) {
            continue;
        }
        memcpy(changed, blob, sizeof(changed));
        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum tv_error error = service_unseal(pal, changed, sizeof(changed), data, &bytes);
        check_round(bit);
        check(error == TV_ERROR_BLOB_CHANGED || error == TV_ERROR_BLOB_FORMAT, "changed-bit",
              (unsigned)error);
    }
    check_round(0);
}

static void check_own(const uint8_t blob[BLOB_BYTES], const uint8_t others[BLOB_BYTES],
                      const uint8_t old[BLOB_BYTES])
{
    struct new_pal owner, other;
    uint8_t data[1024];
    uint32_t bytes;

    service_make(&owner, OWNER);
    service_make(&other, OTHER);
    check_error(service_unseal(&owner, blob, BLOB_BYTES, data, &bytes), TV_OK, "unseal");
    check_secret(data, bytes, "unsealed");
    check_error(service_old_unseal(&owner, old, BLOB_BYTES, data, &bytes), TV_OK, "old-unseal");
    check_secret(data, bytes, "old-unsealed");
    check_error(service_unseal(&owner, others, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_OWNER,
                "unseal-others");
    check_error(service_unseal(&other, others, BLOB_BYTES, data, &bytes), TV_OK, "unseal-as-other");
    check_secret(data, bytes, "unsealed-as-other");
    check_error(service_unseal(&other, blob, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_OWNER,
                "unseal-by-changed-pal");
    check_error(service_old_unseal(&other, old, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_OWNER,
                "old-unseal-by-changed-pal");
    check_error(service_unseal(&owner, old, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_FORMAT,
                "unseal-of-the-old-interface");
    check_every_bit(&owner, blob);
    check_error(service_extend(&owner, 1), TV_OK, "extend");
    check_error(service_unseal(&owner, blob, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_PCR,
                "unseal-after-extend");
    new_end(&owner);
    new_end(&other);
}

static void check_other_root(const uint8_t blob[BLOB_BYTES])
{
    struct new_pal owner;
    uint8_t data[1024];
    uint32_t bytes;

    service_make(&owner, OWNER);
    check_error(service_unseal(&owner, blob, BLOB_BYTES, data, &bytes), TV_ERROR_BLOB_CHANGED,
                "unseal-under-another-root");
    new_end(&owner);
}

/* NV memory holds its byte 0 as often as it was written; then one more time. */
static void check_nv(unsigned times)
{
    struct new_pal owner, other;
    uint8_t content[TV_NV_BYTES], refused[TV_NV_BYTES];
    struct tv_nv_export export;

    service_make(&owner, OWNER);
    service_make(&other, OTHER);
    check_error(service_nv_read(&other, refused), TV_ERROR_NV_OWNER, "nv-of-another");
    check_error(service_nv_read(&owner, content), TV_OK, "nv-read");
    check_equal(content[0], times, "nv-times");
    content[0]++;
    check_error(service_nv_write(&owner, content), TV_OK, "nv-write");
    check_error(hypercall(TV_NV_EXPORT, (uintptr_t) & export, 0, 0, 0), TV_OK, "nv-export");
    say_bytes("nv", export.blob, sizeof(export.blob));
    new_end(&owner);
    new_end(&other);
}

/* back open | back other | back nv TIMES */
void command_back(int count, char *const arguments[])
{
    uint8_t own[BLOB_BYTES], others[BLOB_BYTES], old[BLOB_BYTES];

    check(count >= 1, "arguments", (unsigned)count);
    if (same_text(arguments[0], "nv")) {
        check_nv(argument_number(count, arguments, 1, 0));
        return;
    }
    read_kept("own", own, sizeof(own));
    read_kept("others", others, sizeof(others));
    read_kept("old", old, sizeof(old));
    if (same_text(arguments[0], "open")) {
        check_own(own, others, old);
    } else {
        check_other_root(own);
    }
}
