#include "mix.h"

#include "client.h"

#define PIECE_WORDS                                                                                \
    24U /* of the buffer: a pointer's words and at least one of a fence each side                  \
         */
#define FENCE ((uintptr_t)0xfe9cefe9cefe9ceULL)
#define MIX_PARAM_PAGES 1U

struct mix {
    struct pal pal;
    uintptr_t argument[TV_PARAMS_MAX];
    uintptr_t words[TV_PARAMS_MAX][PIECE_WORDS];
    uintptr_t before[TV_PARAMS_MAX][PIECE_WORDS];
};

static struct mix mix;

/* What PAL and hypervisor are told of the parameters. */
static void make(uint32_t *state)
{
    pal_make(&mix.pal, pal_mix, MIX_PARAM_PAGES);
    struct pal_data *plan = mix.pal.data;
    plan->count = random_next(state) % (TV_PARAMS_MAX + 1);
    plan->param_start = (uintptr_t)mix.pal.param;
    plan->param_end = plan->param_start + MIX_PARAM_PAGES * PAGE;
    for (unsigned i = 0; i < plan->count; i++) {
        plan->param[i].type = random_next(state) % 2 == 0 ? TV_PARAM_INTEGER : TV_PARAM_POINTER;
        if (plan->param[i].type == TV_PARAM_INTEGER) {
            pal_add_integers(&mix.pal, 1);
        } else {
            plan->param[i].words = 1 + random_next(state) % (PIECE_WORDS - 2);
            pal_add_pointer(&mix.pal, plan->param[i].words);
        }
    }
}

static void fill(uint32_t *state)
{
    for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
        mix.argument[i] = random_word(state);
        for (unsigned word = 0; word < PIECE_WORDS; word++) {
            mix.words[i][word] = FENCE + i;
        }
        if (i < mix.pal.params.num_params && mix.pal.params.params[i].type == TV_PARAM_POINTER) {
            for (unsigned word = 1; word <= mix.pal.params.params[i].size; word++) {
                mix.words[i][word] = random_word(state);
            }
            mix.argument[i] = (uintptr_t)&mix.words[i][1];
        }
        for (unsigned word = 0; word < PIECE_WORDS; word++) {
            mix.before[i][word] = mix.words[i][word];
        }
    }
}

/* The sum that the PAL must return: pal_mix_body() of code.c. */
static uintptr_t expected(void)
{
    uintptr_t sum = mix.pal.params.num_params;

    for (unsigned i = 0; i < mix.pal.params.num_params; i++) {
        const uintptr_t place = i * 2 + 3;
        if (mix.pal.params.params[i].type == TV_PARAM_INTEGER) {
            sum += mix.argument[i] * place;
            continue;
        }
        for (unsigned word = 0; word < mix.pal.params.params[i].size; word++) {
            sum += mix.before[i][word + 1] * (place + word * 13);
        }
    }
    return sum;
}

/* A pointer's words are changed as the PAL does, nothing else is. */
static void check_words(void)
{
    for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
        const bool is_pointer =
            i < mix.pal.params.num_params && mix.pal.params.params[i].type == TV_PARAM_POINTER;
        const unsigned words = is_pointer ? (unsigned)mix.pal.params.params[i].size : 0;
        for (unsigned word = 0; word < PIECE_WORDS; word++) {
            const bool is_changed = word >= 1 && word <= words;
            const uintptr_t want = mix.before[i][word] ^ (is_changed ? i * 2 + 3 : 0);
            if (mix.words[i][word] != want) {
                check_equal(mix.words[i][word], want, "mix-words");
            }
        }
    }
}

void mix_check(uint32_t *state)
{
    make(state);
    pal_must_reg(&mix.pal);
    for (unsigned call = 0; call < 2; call++) {
        fill(state);
        check_equal(pal_value(&mix.pal, mix.pal.params.num_params, mix.argument), expected(),
                    "mix-sum");
        check_words();
    }
    pal_end(&mix.pal);
}
