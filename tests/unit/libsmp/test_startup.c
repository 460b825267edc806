/*
 * libsmp/startup.c: INIT, SIPI and NMI of a virtual CPU (REQ-SMP-1, REQ-SMP-2), against a model
 * that handles one event at a time, as the SDM describes the CPU.
 */
#include "suite.h"

#include <pthread.h>
#include <sched.h>
#include <smp/startup.h>
#include <string.h>

/* What an observer of the guest sees of the CPU. */
struct view {
    bool waiting;
    unsigned resets;     /* any: several between two looks are one */
    unsigned running_at; /* SIPI vector of the present run; NEVER: as it was before */
    bool nmi;            /* delivered since the last reset and the last look */
};
#define NEVER 0x100

/* The model: the CPU itself, taking every event at once. */
struct model {
    struct view view;
    bool boot, blocked_nmi;
};

enum event { EVENT_INIT, EVENT_SIPI_A, EVENT_SIPI_B, EVENT_NMI, EVENT_LOOK, EVENT_COUNT };
#define VECTOR_A 0x12
#define VECTOR_B 0xff

static void model_event(struct model *model, enum event event)
{
    struct view *view = &model->view;

    switch (event) {
    case EVENT_INIT:
        *view = (struct view){.waiting = !model->boot, .resets = 1, .running_at = NEVER};
        model->blocked_nmi = false;
        break;
    case EVENT_SIPI_A:
    case EVENT_SIPI_B:
        if (view->waiting) {
            view->waiting = false;
            view->running_at = event == EVENT_SIPI_A ? VECTOR_A : VECTOR_B;
            view->nmi = model->blocked_nmi;
            model->blocked_nmi = false;
        }
        break;
    case EVENT_NMI:
        view->nmi = view->nmi || !view->waiting;
        model->blocked_nmi = view->waiting;
        break;
    default:
        break;
    }
}

static void post(struct smp_startup *startup, enum event event)
{
    switch (event) {
    case EVENT_INIT:
        smp_startup_post_init(startup);
        break;
    case EVENT_SIPI_A:
        smp_startup_post_sipi(startup, VECTOR_A);
        break;
    case EVENT_SIPI_B:
        smp_startup_post_sipi(startup, VECTOR_B);
        break;
    case EVENT_NMI:
        smp_startup_post_nmi(startup);
        break;
    default:
        break;
    }
}

/* What the actions do to a CPU; and that they are in order and legal in its state. */
static void apply(struct view *view, bool boot, const struct smp_startup_actions *actions)
{
    int last = -1;

    view->nmi = false;
    view->resets = 0;
    assert_true(actions->count <= 3);
    for (unsigned i = 0; i < actions->count; i++) {
        enum smp_startup_action action = actions->action[i];
        assert_true((int)action > last);
        last = (int)action;
        switch (action) {
        case SMP_RESET_TO_WAIT:
            assert_false(boot);
            *view = (struct view){.waiting = true, .resets = 1, .running_at = NEVER};
            break;
        case SMP_RESET_TO_BOOT:
            assert_true(boot);
            *view = (struct view){.waiting = false, .resets = 1, .running_at = NEVER};
            break;
        case SMP_RUN:
            assert_true(view->waiting);
            view->waiting = false;
            view->running_at = actions->vector;
            break;
        case SMP_NMI:
            assert_false(view->waiting);
            view->nmi = true;
            break;
        }
    }
}

static void check_sequence(const enum event *events, unsigned count, bool boot)
{
    struct smp_startup startup;
    struct smp_startup_actions actions;
    struct view view = {.waiting = !boot, .running_at = NEVER};
    struct model model = {.view = view, .boot = boot};

    smp_startup_init(&startup, boot);
    for (unsigned i = 0; i <= count; i++) {
        if (i < count && events[i] != EVENT_LOOK) {
            post(&startup, events[i]);
            model_event(&model, events[i]);
            assert_true(smp_startup_pending(&startup));
            continue;
        }
        smp_startup_collect(&startup, &actions);
        assert_false(smp_startup_pending(&startup));
        apply(&view, boot, &actions);
        assert_int_equal(view.waiting, model.view.waiting);
        assert_int_equal(view.waiting, startup.waiting);
        assert_int_equal(view.resets, model.view.resets);
        assert_int_equal(view.running_at, model.view.running_at);
        assert_int_equal(view.nmi, model.view.nmi);
        model.view.nmi = false;
        model.view.resets = 0;
    }
}

/* REQ-SMP-1, REQ-SMP-2: all sequences of up to 8 events, with a look of the owner anywhere between.
 */
static void test_REQ_SMP_1_REQ_SMP_2_all_sequences(void **state)
{
    enum event events[8];

    (void)state;
    for (unsigned length = 0; length <= 8; length++) {
        unsigned sequences = 1;
        for (unsigned i = 0; i < length; i++) {
            sequences *= EVENT_COUNT;
        }
        for (unsigned sequence = 0; sequence < sequences; sequence++) {
            unsigned rest = sequence;
            for (unsigned i = 0; i < length; i++) {
                events[i] = (enum event)(rest % EVENT_COUNT);
                rest /= EVENT_COUNT;
            }
            check_sequence(events, length, false);
            check_sequence(events, length, true);
        }
    }
}

static void test_start_states(void **state)
{
    struct smp_startup startup;
    struct smp_startup_actions actions;

    (void)state;
    smp_startup_init(&startup, true);
    assert_false(startup.waiting);
    smp_startup_init(&startup, false);
    assert_true(startup.waiting);
    assert_false(smp_startup_pending(&startup));
    smp_startup_collect(&startup, &actions);
    assert_int_equal(actions.count, 0);
}

/* INIT-SIPI-SIPI of an ordinary kernel, all before the target looks once. */
static void test_init_sipi_sipi_before_a_look(void **state)
{
    struct smp_startup startup;
    struct smp_startup_actions actions;

    (void)state;
    smp_startup_init(&startup, false);
    smp_startup_post_init(&startup);
    smp_startup_post_sipi(&startup, 0x9a);
    smp_startup_post_sipi(&startup, 0x9b);
    smp_startup_collect(&startup, &actions);
    assert_int_equal(actions.count, 2);
    assert_int_equal(actions.action[0], SMP_RESET_TO_WAIT);
    assert_int_equal(actions.action[1], SMP_RUN);
    assert_int_equal(actions.vector, 0x9a);
}

/* A storm from several threads, while the owner looks. */
#define SENDERS 3
#define ROUNDS 40000

static struct smp_startup storm;
static unsigned senders_left;
static unsigned looks; /* of the owner: the storm lasts until there were enough */
#define LOOKS 1000

static void *sender(void *arg)
{
    unsigned seed = *(const unsigned *)arg;

    for (unsigned i = 0; i < ROUNDS || __atomic_load_n(&looks, __ATOMIC_RELAXED) < LOOKS; i++) {
        seed = seed * 1103515245 + 12345;
        post(&storm, (enum event)((seed >> 16) % EVENT_LOOK));
    }
    __atomic_fetch_sub(&senders_left, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void test_REQ_SMP_1_REQ_SMP_2_storm(void **state)
{
    struct view view = {.waiting = true, .running_at = NEVER};
    struct smp_startup_actions actions;
    pthread_t threads[SENDERS];
    unsigned seeds[SENDERS] = {1, 2, 3};

    (void)state;
    smp_startup_init(&storm, false);
    senders_left = SENDERS;
    looks = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sender, &seeds[i]), 0);
    }
    while (__atomic_load_n(&senders_left, __ATOMIC_ACQUIRE) != 0) {
        smp_startup_collect(&storm, &actions);
        apply(&view, false, &actions); /* every batch is legal in the state before it */
        assert_true(view.running_at == NEVER || view.running_at == VECTOR_A ||
                    view.running_at == VECTOR_B);
        __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    /* Afterwards it starts as if nothing had been. */
    smp_startup_post_init(&storm);
    smp_startup_post_sipi(&storm, 0x55);
    smp_startup_collect(&storm, &actions);
    apply(&view, false, &actions);
    assert_int_equal(view.running_at, 0x55);
    assert_false(view.nmi);
}

/* No start is lost: one sender, one INIT-SIPI pair at a time, waits for the run it asked for. */
static uint32_t last_run;

static void *starter(void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        smp_startup_post_init(&storm);
        smp_startup_post_sipi(&storm, (uint8_t)i);
        while (__atomic_load_n(&last_run, __ATOMIC_ACQUIRE) != i) {
            __builtin_ia32_pause();
            sched_yield();
        }
    }
    return NULL;
}

static void test_REQ_SMP_1_no_start_is_lost(void **state)
{
    struct smp_startup_actions actions;
    pthread_t thread;

    (void)state;
    smp_startup_init(&storm, false);
    last_run = 0;
    assert_int_equal(pthread_create(&thread, NULL, starter, NULL), 0);
    for (uint32_t runs = 0; runs < ROUNDS;) {
        if (!smp_startup_pending(&storm)) {
            sched_yield();
            continue;
        }
        smp_startup_collect(&storm, &actions);
        for (unsigned i = 0; i < actions.count; i++) {
            if (actions.action[i] == SMP_RUN) {
                runs++;
                assert_int_equal(actions.vector, (uint8_t)runs);
                __atomic_store_n(&last_run, runs, __ATOMIC_RELEASE);
            }
        }
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_REQ_SMP_1_REQ_SMP_2_all_sequences),
        cmocka_unit_test(test_start_states),
        cmocka_unit_test(test_init_sipi_sipi_before_a_look),
        cmocka_unit_test(test_REQ_SMP_1_REQ_SMP_2_storm),
        cmocka_unit_test(test_REQ_SMP_1_no_start_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
