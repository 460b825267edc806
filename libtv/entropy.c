/* Entropy of the machine: RDSEED or RDRAND, tested, and the jitter of the time-stamp counter. */
#include <hw/cpu.h>
#include <string.h>
#include <tv/random.h>

#define WORDS (TV_ENTROPY_BYTES / sizeof(uint64_t))
#define JITTER_WORDS 2U
#define JITTER_ROUNDS 32U

/*
 * What the instructions took, by the clock.  It is mixed in against a CPU whose random numbers are
 * known to its maker, and not counted as entropy: on an emulator it is the same in every run.
 */
static uint64_t jitter(void)
{
    uint64_t value = 0, before = hw_rdtsc();

    for (unsigned i = 0; i < JITTER_ROUNDS; i++) {
        hw_pause();
        uint64_t now = hw_rdtsc();
        value = (value << 7 | value >> 57) ^ (now - before) ^ now;
        before = now;
    }
    return value;
}

/*
 * A repetition count test (SP 800-90B, 4.4.1) with a cut-off of two words, and the words that
 * broken CPUs are known to give: a good one fails it once in 2^62 words.
 */
static bool is_plausible(uint64_t value, uint64_t before)
{
    return value != before && value != 0 && value != UINT64_MAX;
}

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    uint64_t word[WORDS], before = 0;
    bool good = true;

    for (unsigned i = 0; i < WORDS - JITTER_WORDS && good; i++) {
        good = hw_random(&word[i]) && is_plausible(word[i], before);
        before = word[i];
    }
    if (good) {
        for (unsigned i = WORDS - JITTER_WORDS; i < WORDS; i++) {
            word[i] = jitter();
        }
        memcpy(entropy, word, sizeof(word));
    }
    tv_wipe(word, sizeof(word));
    return good ? TV_OK : TV_ERROR_NO_ENTROPY;
}
