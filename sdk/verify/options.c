#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char verify_help[] =
    "usage: nacre-verify --pal PROGRAM|--identity HEX --nonce HEX --key KEY [OPTION ...] EVIDENCE\n"
    "       nacre-verify --old --pal PROGRAM|--identity HEX --nonce HEX --key KEY\n"
    "                    --composite FILE [OPTION ...] SIGNATURE\n"
    "       nacre-verify --first --pal PROGRAM|--identity HEX --nonce HEX --key KEY\n"
    "                    [OPTION ...] QUOTE\n"
    "       nacre-verify --measure PROGRAM\n"
    "Is this quote by Nacre, of this PAL, with my nonce?\n"
    "  --measure PROGRAM  print the measurements of the PAL in a program, and what is in them\n"
    "  --pal PROGRAM      the quote must be by the PAL in this program (ELF file)\n"
    "  --identity HEX     the same, by its measurement: SHA-256; of old quotes SHA-1\n"
    "  --nonce HEX        that the quote was asked for with: 32 bytes; of old quotes 20\n"
    "  --key KEY          public key of the machine, DER or PEM: P-256; of old quotes RSA-2048\n"
    "  --old              a quote of the old interface (12): what QUOTE gave as its signature\n"
    "  --composite FILE   and as its composite\n"
    "  --first            a quote of the first interface (5)\n"
    "  --data HEX|FILE    the PAL's 64 bytes in the evidence; zeros follow if these are fewer\n"
    "  --pcr N=HEX        register N must be in the quote and have this value; may be repeated\n"
    "  --allow-simulated  accept what the SDK's simulation signed: everybody can make that\n"
    "  --allow-debug      accept a debug build's quote\n"
    "  --allow-random     accept a key that was made for one boot\n"
    "A wrong quote is 'refused: REASON' and status 1; wrong options and files are status 2.\n";

enum {
    MEASURE = 256,
    PAL,
    IDENTITY,
    NONCE,
    KEY,
    OLD,
    FIRST,
    COMPOSITE,
    DATA,
    PCR,
    ALLOW_SIMULATED,
    ALLOW_DEBUG,
    ALLOW_RANDOM,
    HELP
};

static const struct option known[] = {
    {"measure", required_argument, NULL, MEASURE},
    {"pal", required_argument, NULL, PAL},
    {"identity", required_argument, NULL, IDENTITY},
    {"nonce", required_argument, NULL, NONCE},
    {"key", required_argument, NULL, KEY},
    {"old", no_argument, NULL, OLD},
    {"first", no_argument, NULL, FIRST},
    {"composite", required_argument, NULL, COMPOSITE},
    {"data", required_argument, NULL, DATA},
    {"pcr", required_argument, NULL, PCR},
    {"allow-simulated", no_argument, NULL, ALLOW_SIMULATED},
    {"allow-debug", no_argument, NULL, ALLOW_DEBUG},
    {"allow-random", no_argument, NULL, ALLOW_RANDOM},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* As written; how long digests are is known when --old and --first were looked for everywhere. */
struct words {
    const char *measure, *pal, *identity, *nonce, *pcr[TV_PCRS];
    unsigned options; /* how many were given */
    bool old, first, help;
};

static char wrong[160];

static int digit(char character)
{
    static const char digits[] = "0123456789abcdef";
    const char *found =
        character == 0
            ? NULL
            : strchr(digits, character >= 'A' && character <= 'F' ? character | 0x20 : character);
    return found == NULL ? -1 : (int)(found - digits);
}

bool verify_hex(const char *text, uint8_t *bytes, size_t room, size_t *count)
{
    size_t length = strlen(text);

    if (length == 0 || length % 2 != 0 || length / 2 > room) {
        return false;
    }
    memset(bytes, 0, room);
    for (size_t i = 0; i < length; i++) {
        int value = digit(text[i]);
        if (value < 0) {
            return false;
        }
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | value);
    }
    *count = length / 2;
    return true;
}

static const char *fault(const char *format, const char *argument)
{
    (void)snprintf(wrong, sizeof(wrong), format, argument);
    return wrong;
}

static const char *read_register(struct verify_options *options, struct words *words,
                                 const char *text)
{
    unsigned index = (unsigned)(text[0] - '0');

    if (text[0] < '0' || index >= TV_PCRS || text[1] != '=') {
        return fault("--pcr %s: not a register from 0 to 7, '=' and its value", text);
    }
    if ((options->expected.selection >> index & 1) != 0) {
        return fault("--pcr %s: the register was given before", text);
    }
    options->expected.selection |= 1U << index;
    words->pcr[index] = text + 2;
    return NULL;
}

static const char *set_once(const char **word, const char *name)
{
    if (*word != NULL) {
        return fault("%s is given twice", name);
    }
    *word = optarg;
    return NULL;
}

static const char *read_option(struct verify_options *options, struct words *words, int option)
{
    switch (option) {
    case MEASURE:
        return set_once(&words->measure, "--measure");
    case PAL:
        return set_once(&words->pal, "--pal");
    case IDENTITY:
        return set_once(&words->identity, "--identity");
    case NONCE:
        return set_once(&words->nonce, "--nonce");
    case KEY:
        return set_once(&options->key, "--key");
    case COMPOSITE:
        return set_once(&options->composite, "--composite");
    case DATA:
        return set_once(&options->data, "--data");
    case PCR:
        return read_register(options, words, optarg);
    case ALLOW_SIMULATED:
        options->expected.allow_simulated = true;
        return NULL;
    case ALLOW_DEBUG:
        options->expected.allow_debug = true;
        return NULL;
    case ALLOW_RANDOM:
        options->expected.allow_random = true;
        return NULL;
    case OLD:
        words->old = true;
        return NULL;
    case FIRST:
        words->first = true;
        return NULL;
    default:
        words->help = true;
        return NULL;
    }
}

static const char *read_digest(const char *name, const char *text, uint8_t *digest, size_t bytes)
{
    size_t count;

    if (!verify_hex(text, digest, bytes, &count) || count != bytes) {
        return fault(
            bytes == 20 ? "%s: not 40 hexadecimal digits" : "%s: not 64 hexadecimal digits", name);
    }
    return NULL;
}

static const char *read_digests(struct verify_expected *expected, const struct words *words)
{
    size_t bytes = words->old || words->first ? 20 : 32;
    const char *reason = read_digest("--nonce", words->nonce, expected->nonce, bytes);

    if (reason == NULL && words->identity != NULL) {
        reason = read_digest("--identity", words->identity, expected->identity, bytes);
    }
    for (unsigned i = 0; reason == NULL && i < TV_PCRS; i++) {
        if (words->pcr[i] != NULL) {
            reason = read_digest("--pcr", words->pcr[i], expected->pcr[i], bytes);
        }
    }
    return reason;
}

/* What must be there, and what may not be there with it. */
static const char *check(const struct verify_options *options, const struct words *words)
{
    if ((words->pal != NULL) == (words->identity != NULL)) {
        return "give either --pal or --identity";
    }
    if (words->nonce == NULL) {
        return "--nonce is missing: an old quote could be shown again";
    }
    if (options->key == NULL) {
        return "--key is missing: who signed would not be known";
    }
    if (words->old != (options->composite != NULL)) {
        return "--old and --composite go together";
    }
    if (words->old && words->first) {
        return "give either --old or --first";
    }
    if ((words->old || words->first) && options->data != NULL) {
        return "old quotes have no --data";
    }
    return options->quote == NULL ? "the file to check is missing" : NULL;
}

static const char *finish(struct verify_options *options, const struct words *words)
{
    if (words->help) {
        options->mode = VERIFY_HELP;
        return NULL;
    }
    if (words->measure != NULL) {
        options->mode = VERIFY_MEASURE;
        options->program = words->measure;
        return words->options == 1 && options->quote == NULL
                   ? NULL
                   : "--measure has one program and no other option";
    }
    const char *reason = check(options, words);
    if (reason == NULL) {
        options->mode = words->old ? VERIFY_OLD : words->first ? VERIFY_FIRST : VERIFY_EVIDENCE;
        options->program = words->pal;
        reason = read_digests(&options->expected, words);
    }
    return reason;
}

/* getopt_long() goes on to the next word only after the last letter of one, as of -xy. */
static const char *unknown(char **argv)
{
    const char letter[] = {'-', (char)optopt, '\0'};

    return fault("unknown option %s", optopt > 0 && optopt < MEASURE ? letter : argv[optind - 1]);
}

const char *verify_options_read(struct verify_options *options, int argc, char **argv)
{
    struct words words = {0};
    int option;

    *options = (struct verify_options){.mode = VERIFY_HELP};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == '?') {
            return unknown(argv);
        }
        if (option == ':') {
            return fault("%s needs a value", argv[optind - 1]);
        }
        words.options++;
        const char *reason = read_option(options, &words, option);
        if (reason != NULL) {
            return reason;
        }
    }
    if (optind < argc) {
        options->quote = argv[optind++];
    }
    if (optind < argc) {
        return fault("one file too many: %s", argv[optind]);
    }
    return finish(options, &words);
}
