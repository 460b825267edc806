/* nacre-verify: is this quote by Nacre, of this PAL, with my nonce?  See help[]. */
#include "pal_elf.h"
#include "quote.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERIFIED = 0, REFUSED = 1, UNUSABLE = 2 };

static const char help[] =
    "nacre-verify --measure PROGRAM\n"
    "    prints the measurement of the PAL in a program, and what is in it\n"
    "nacre-verify --pal PROGRAM --key KEY --nonce HEX [OPTION ...] EVIDENCE\n"
    "    checks the evidence that the PAL's pal_quote() gave; nonce: 32 bytes\n"
    "nacre-verify --old --pal PROGRAM --key KEY --nonce HEX --composite FILE [OPTION ...] "
    "SIGNATURE\n"
    "    checks what the old interface's QUOTE gave; nonce: 20 bytes\n"
    "KEY is a file, DER or PEM: P-256 for evidence, RSA for old quotes. Options:\n"
    "    --identity HEX      the measurement, in place of --pal (old: register 0)\n"
    "    --data HEX          the 64 bytes that the PAL must have said (fewer: zeros follow)\n"
    "    --pcr N=HEX         the value that a register must have; may be repeated\n"
    "    --allow-debug       accept a debug build of Nacre\n"
    "    --allow-random      accept a root secret that was made at that boot\n"
    "    --allow-simulated   accept a PAL that nothing protected\n"
    "Exit status: 0 verified, 1 refused, 2 wrong arguments or files.\n";

static _Noreturn __attribute__((format(printf, 2, 3))) void end(int status, const char *format, ...)
{
    va_list arguments;

    fputs(status == REFUSED ? "nacre-verify: refused: " : "nacre-verify: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

struct file {
    uint8_t *start;
    size_t bytes;
};

static struct file read_file(const char *path)
{
    enum { MOST = 256 << 20 };
    struct file read = {NULL, 0};
    FILE *file = fopen(path, "rb");
    size_t room = 0, got = 1;

    if (file == NULL) {
        end(UNUSABLE, "%s: %s", path, strerror(errno));
    }
    while (got > 0 && read.bytes < MOST) {
        if (read.bytes == room) {
            room = room == 0 ? 65536 : 2 * room;
            read.start = realloc(read.start, room);
            if (read.start == NULL) {
                end(UNUSABLE, "%s: no memory for it", path);
            }
        }
        got = fread(read.start + read.bytes, 1, room - read.bytes, file);
        read.bytes += got;
    }
    if (ferror(file) || read.bytes == MOST) {
        end(UNUSABLE, "%s: %s", path, ferror(file) ? strerror(errno) : "too large");
    }
    (void)fclose(file);
    return read;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The bytes that text has; more than most, or anything but pairs of digits, ends the program. */
static size_t read_hex(const char *what, const char *text, uint8_t *to, size_t most)
{
    size_t bytes = strlen(text) / 2;

    if (strlen(text) % 2 != 0 || bytes > most) {
        end(UNUSABLE, "%s: not at most %zu bytes in hexadecimal digits", what, most);
    }
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            end(UNUSABLE, "%s: not in hexadecimal digits", what);
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return bytes;
}

static void read_exact(const char *what, const char *text, uint8_t *to, size_t bytes)
{
    if (read_hex(what, text, to, bytes) != bytes) {
        end(UNUSABLE, "%s: must have %zu bytes in hexadecimal digits", what, bytes);
    }
}

static void put_hex(const uint8_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        printf("%02x", from[i]);
    }
}

struct request {
    bool measure, old;
    const char *pal, *key, *nonce, *identity, *composite, *data, *subject;
    const char *pcr[TV_PCRS];
    struct wanted wanted;
};

static void read_pal(const char *path, struct pal_file *pal)
{
    struct file file = read_file(path);
    const char *wrong = pal_file_read(file.start, file.bytes, pal);

    if (wrong != NULL) {
        end(UNUSABLE, "%s: %s", path, wrong);
    }
}

static void show_measurement(const char *path)
{
    static const char *const directions[] = {"integer", "in", "out", "in and out"};
    struct tv_measurement measurement;
    struct pal_file pal;

    read_pal(path, &pal);
    pal_file_measure(&pal, &measurement);
    const struct pal_description *is = &pal.description;
    printf("sha256=");
    put_hex(measurement.sha256, sizeof(measurement.sha256));
    printf("\nsha1=");
    put_hex(measurement.sha1, sizeof(measurement.sha1));
    printf("\nname=%s\nwidth=%u\nflags=%u\nentry=0x%llx\n", is->name, 8 * is->word_bytes, is->flags,
           (unsigned long long)is->entry.value);
    printf("code=0x%llx, %zu bytes\ndata=0x%llx, %zu bytes\n",
           (unsigned long long)is->code_start.value, pal.code_bytes,
           (unsigned long long)is->data_start.value, pal.data_bytes);
    printf("param=%u pages\nstack=%u pages\n", is->param_pages, is->stack_pages);
    for (unsigned i = 0; i < is->parameter_count; i++) {
        const struct tv_pal_parameter *parameter = &is->parameter[i];
        printf("parameter %u=%s, %llu bytes\n", i, directions[parameter->direction & 3],
               parameter->type == TV_PARAM_POINTER ? (unsigned long long)parameter->size
                                                   : is->word_bytes);
    }
}

/* Register 0 or the identity, from the program or as it was given. */
static void find_identity(struct request *request)
{
    size_t bytes = request->old ? 20 : 32;
    struct tv_measurement measurement;
    struct pal_file pal;

    if ((request->pal != NULL) == (request->identity != NULL)) {
        end(UNUSABLE, "either --pal or --identity says which PAL is wanted");
    }
    if (request->identity != NULL) {
        read_exact("--identity", request->identity, request->wanted.identity, bytes);
        return;
    }
    read_pal(request->pal, &pal);
    pal_file_measure(&pal, &measurement);
    memcpy(request->wanted.identity, request->old ? measurement.sha1 : measurement.sha256, bytes);
}

static void find_wishes(struct request *request)
{
    if (request->key == NULL || request->nonce == NULL || request->subject == NULL) {
        end(UNUSABLE, "%s is missing; --help tells more",
            request->key == NULL     ? "--key"
            : request->nonce == NULL ? "--nonce"
                                     : "the file to check");
    }
    if (request->old != (request->composite != NULL)) {
        end(UNUSABLE, "--old and --composite go together");
    }
    read_exact("--nonce", request->nonce, request->wanted.nonce, request->old ? 20 : 32);
    if (request->data != NULL) {
        if (request->old) {
            end(UNUSABLE, "old quotes have no --data");
        }
        (void)read_hex("--data", request->data, request->wanted.data, 64);
        request->wanted.has_data = true;
    }
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if (request->pcr[i] != NULL) {
            read_exact("--pcr", request->pcr[i], request->wanted.value[i], request->old ? 20 : 32);
            request->wanted.registers |= 1U << i;
        }
    }
    find_identity(request);
}

static size_t read_key(const char *path, uint8_t der[KEY_DER_MAX])
{
    struct file file = read_file(path);

    return key_der(file.start, file.bytes, der);
}

static int verify_evidence(const struct request *request)
{
    static const char *const roots[] = {"", "the machine's TPM", "a boot module",
                                        "random, of one boot", "simulated"};
    uint8_t der[KEY_DER_MAX];
    struct p256_key key;
    struct tv_evidence head;

    if (!key_p256(der, read_key(request->key, der), &key)) {
        end(UNUSABLE, "%s: not a public key on P-256", request->key);
    }
    struct file file = read_file(request->subject);
    const char *refusal = check_evidence(&request->wanted, &key, file.start, file.bytes, &head);
    if (refusal != NULL) {
        end(REFUSED, "%s", refusal);
    }
    printf("verified: identity=");
    put_hex(head.identity, sizeof(head.identity));
    printf(" hypervisor=%u.%u debug=%u root=\"%s\" registers=0x%02x data=", head.hypervisor >> 16,
           head.hypervisor & 0xffff, head.flags & TV_EVIDENCE_DEBUG, roots[head.root],
           head.selection);
    put_hex(head.data, sizeof(head.data));
    printf("\n");
    return VERIFIED;
}

static int verify_old(const struct request *request)
{
    uint8_t der[KEY_DER_MAX], marks = 0;
    br_rsa_public_key key;

    if (!key_rsa(der, read_key(request->key, der), &key)) {
        end(UNUSABLE, "%s: not a public RSA key of 2048 bits", request->key);
    }
    struct file composite = read_file(request->composite), file = read_file(request->subject);
    const char *refusal = check_old_quote(&request->wanted, &key, composite.start, composite.bytes,
                                          file.start, file.bytes, &marks);
    if (refusal != NULL) {
        end(REFUSED, "%s", refusal);
    }
    printf("verified: pcr0=");
    put_hex(request->wanted.identity, 20);
    printf(" marks=%u registers=0x%02x\n", marks, composite.start[2]);
    return VERIFIED;
}

static void set_pcr(struct request *request, const char *text)
{
    if (text[0] < '0' || text[0] >= '0' + (char)TV_PCRS || text[1] != '=') {
        end(UNUSABLE, "--pcr: N=HEX with N from 0 to %u", TV_PCRS - 1);
    }
    request->pcr[text[0] - '0'] = text + 2;
}

/* Options with a value: which field takes it. */
static const char **field_of(struct request *request, int option)
{
    switch (option) {
    case 'p':
        return &request->pal;
    case 'k':
        return &request->key;
    case 'n':
        return &request->nonce;
    case 'i':
        return &request->identity;
    case 'c':
        return &request->composite;
    default:
        return &request->data;
    }
}

static void read_option(struct request *request, int option)
{
    switch (option) {
    case 'm':
        request->measure = true;
        break;
    case 'o':
        request->old = true;
        break;
    case 'D':
        request->wanted.allow_debug = true;
        break;
    case 'R':
        request->wanted.allow_random = true;
        break;
    case 'S':
        request->wanted.allow_simulated = true;
        break;
    case 'P':
        set_pcr(request, optarg);
        break;
    case 'h':
        fputs(help, stdout);
        exit(VERIFIED);
    case '?':
    case ':':
        end(UNUSABLE, "unknown option or no value: %s; --help tells more", optarg);
    default:
        *field_of(request, option) = optarg;
    }
}

static void read_arguments(struct request *request, int count, char **arguments)
{
    static const struct option options[] = {
        {"measure", no_argument, NULL, 'm'},      {"old", no_argument, NULL, 'o'},
        {"pal", required_argument, NULL, 'p'},    {"key", required_argument, NULL, 'k'},
        {"nonce", required_argument, NULL, 'n'},  {"identity", required_argument, NULL, 'i'},
        {"data", required_argument, NULL, 'd'},   {"composite", required_argument, NULL, 'c'},
        {"pcr", required_argument, NULL, 'P'},    {"allow-debug", no_argument, NULL, 'D'},
        {"allow-random", no_argument, NULL, 'R'}, {"allow-simulated", no_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(count, arguments, ":h", options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            optarg = arguments[optind - 1];
        }
        read_option(request, option);
    }
    if (count - optind > 1) {
        end(UNUSABLE, "one file at a time, not '%s' as well", arguments[optind + 1]);
    }
    request->subject = optind < count ? arguments[optind] : NULL;
}

int main(int count, char **arguments)
{
    struct request request = {0};

    read_arguments(&request, count, arguments);
    if (request.measure) {
        if (request.subject == NULL) {
            end(UNUSABLE, "the program to measure is missing; --help tells more");
        }
        show_measurement(request.subject);
        return VERIFIED;
    }
    find_wishes(&request);
    return request.old ? verify_old(&request) : verify_evidence(&request);
}
