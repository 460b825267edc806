/*
 * signing-key new KEY: makes KEY (sealed) and KEY.pub (PEM)
 * signing-key sign KEY FILE: signs FILE into FILE.sig (DER, SHA-256)
 * signing-key attest KEY NONCE FILE: evidence for the 32-byte NONCE (hexadecimal) into FILE
 * signing-key quote-key FILE: the public key that this machine's evidence is checked with (DER)
 */
#include "../common.h"
#include "signing-key.h"

static struct {
    uint8_t blob[KEY_BLOB_BYTES], input[KEY_INPUT_BYTES], answer[KEY_ANSWER_BYTES];
    uint32_t bytes;
} ask;

static void call(struct pal *pal, uint32_t what, size_t input_bytes)
{
    uint64_t result;
    enum tv_error error =
        PAL_CALL(pal, &result, what, ask.blob, ask.input, input_bytes, ask.answer, &ask.bytes);

    must(error, result);
    if (ask.bytes > sizeof(ask.answer)) {
        end(1, "the PAL says %u bytes", ask.bytes);
    }
}

static const char *with_suffix(const char *path, const char *suffix)
{
    static char name[4096];

    if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name)) {
        end(1, "%s: the name is too long", path);
    }
    return name;
}

static void make(struct pal *pal, const char *path)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char pem[400] = "-----BEGIN PUBLIC KEY-----\n";
    size_t length = strlen(pem);

    call(pal, KEY_NEW, 0);
    write_file(path, ask.blob, sizeof(ask.blob));
    for (uint32_t i = 0; i < ask.bytes; i += 3) { /* 91 bytes: the last one is alone */
        const uint8_t three[] = {ask.answer[i], ask.answer[i + 1], ask.answer[i + 2]};
        uint32_t left = ask.bytes - i;
        pem[length++] = digits[three[0] >> 2];
        pem[length++] = digits[(three[0] & 3) << 4 | (left > 1 ? three[1] >> 4 : 0)];
        pem[length++] =
            left > 1 ? digits[(three[1] & 15) << 2 | (left > 2 ? three[2] >> 6 : 0)] : '=';
        pem[length++] = left > 2 ? digits[three[2] & 63] : '=';
        if (i % 48 == 45) {
            pem[length++] = '\n';
        }
    }
    length += (size_t)snprintf(pem + length, sizeof(pem) - length, "\n-----END PUBLIC KEY-----\n");
    write_file(with_suffix(path, ".pub"), pem, length);
}

static void hash_file(struct pal *pal, const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t got;

    if (file == NULL) {
        end(1, "%s: %s", path, strerror(errno));
    }
    while ((got = fread(ask.input, 1, sizeof(ask.input), file)) > 0) {
        call(pal, KEY_HASH, got);
    }
    if (ferror(file)) {
        end(1, "%s: %s", path, strerror(errno));
    }
    fclose(file);
}

#define NONCE_BYTES 32U

static void read_nonce(const char *text)
{
    if (strlen(text) != 2 * NONCE_BYTES ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * NONCE_BYTES) {
        end(2, "the nonce must have 64 hexadecimal digits");
    }
    for (unsigned i = 0; i < NONCE_BYTES; i++) {
        (void)sscanf(text + 2 * i, "%2hhx", &ask.input[i]);
    }
}

static void read_key(const char *path)
{
    if (!read_file(path, ask.blob, sizeof(ask.blob))) {
        end(1, "%s: %s", path, strerror(ENOENT));
    }
}

int main(int count, char **argument)
{
    const char *what = count > 1 ? argument[1] : "";
    bool is_new = count == 3 && strcmp(what, "new") == 0;
    bool is_sign = count == 4 && strcmp(what, "sign") == 0;
    bool is_attest = count == 5 && strcmp(what, "attest") == 0;
    bool is_quote_key = count == 3 && strcmp(what, "quote-key") == 0;

    if (!is_new && !is_sign && !is_attest && !is_quote_key) {
        end(2, "usage: signing-key new KEY | sign KEY FILE | attest KEY NONCE FILE | "
               "quote-key FILE");
    }
    if (is_attest) {
        read_nonce(argument[3]);
    }
    if (is_sign || is_attest) {
        read_key(argument[2]);
    }
    struct pal *pal = start();
    if (is_new) {
        make(pal, argument[2]);
    } else if (is_sign) {
        hash_file(pal, argument[3]);
        call(pal, KEY_SIGN, 0);
        write_file(with_suffix(argument[3], ".sig"), ask.answer, ask.bytes);
    } else if (is_quote_key) {
        call(pal, KEY_OF_QUOTES, 0);
        write_file(argument[2], ask.answer, ask.bytes);
    } else {
        call(pal, KEY_ATTEST, NONCE_BYTES);
        write_file(argument[4], ask.answer, ask.bytes);
    }
    return pal_unregister(pal) == TV_OK ? 0 : 1;
}
