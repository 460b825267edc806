/*
 * Random histories: processes that register, share with, call and remove PALs on several CPUs, an
 * OS that takes their memory, and table pages that run out; against a model that knows who has
 * what. After each step everything that has to hold is looked at (REQ-PAL-3, REQ-PAL-7, REQ-PAL-11,
 * REQ-EPT-1, REQ-EPT-5, REQ-EPT-6).
 */
#include "pal_test.h"

#define PROCESSES SUITE_MODES
#define PALS 14U
#define BASE 0x10000000ULL
#define DISTANCE 0x200000ULL
#define SHARED 0x40000000ULL /* one page for each PAL */
#define ELSEWHERE 0x60000000ULL
#define STEPS 5000U
#define TABLES 220U /* enough for all, few enough to be used again and again */

enum status_of { NONE, IDLE, RUNS, ENDED };

struct model {
    struct suite_pal pal;
    unsigned owner; /* process */
    enum status_of status;
    unsigned cpu; /* that runs it */
    bool shares, doomed;
    bool dirty;      /* memory holds what the PAL, or nobody, wrote */
    uint64_t secret; /* in DATA, since the last call */
};

static struct suite_process process[PROCESSES], os; /* the OS maps anything */
static struct model model[PALS];
static struct model *running[SUITE_CPUS];
static uint64_t none;
static unsigned done[16];

static unsigned any_cpu(void)
{
    return (unsigned)suite_random(SUITE_CPUS);
}

static uint64_t data_of(const struct model *m)
{
    return m->pal.section[1].start_addr;
}

/* New memory with new content for a PAL that is not registered. */
static void renew(struct model *m)
{
    unsigned n = (unsigned)(m - model);
    suite_pal_plan(&m->pal, &process[m->owner], BASE + n * DISTANCE, suite_random(2) != 0);
    if (suite_random(3) == 0) {
        m->pal.section[4] = (struct tv_pal_section){
            TV_SECTION_SHARED_CODE, 1 + (uint32_t)suite_random(2), BASE + n * DISTANCE + 0x10000};
        m->pal.section_count = 5;
    }
    suite_pal_map(&m->pal);
    uint64_t shared = SHARED + n * PAGE_BYTES;
    if (suite_gpa(&process[m->owner], shared) == ~0ULL) {
        suite_map(&process[m->owner], shared, suite_frames(1), SUITE_RW);
    }
    m->dirty = m->shares = m->doomed = false;
    m->secret = 0;
}

/* The page came back: what the PAL wrote must be gone (REQ-PAL-7). */
static void check_gone(struct model *m)
{
    uint64_t word;
    for (uint64_t at = SUITE_DATA_AT; at < SUITE_PAL_PAGES * PAGE_BYTES; at += 512) {
        suite_get(m->pal.process, m->pal.section[0].start_addr + at, &word, 8);
        assert_int_equal(word, 0);
    }
    m->status = NONE;
    m->dirty = true;
    assert_null(suite_find(&m->pal));
}

static void step_register(struct model *m, unsigned cpu)
{
    if (m->status == NONE && m->dirty) {
        renew(m);
    }
    suite_run(cpu, m->pal.process);
    bool starved = m->status == NONE && suite_random(6) == 0;
    struct suite_state before = suite_state(&m->pal);
    struct tv_pal_register answer = m->pal.answer;
    if (starved) {
        suite_keep_free(suite_random(14));
    }
    enum tv_error error = suite_register(cpu, &m->pal);
    suite_give_all();
    if (m->status != NONE) {
        assert_int_equal(error, TV_ERROR_PAL_DUPLICATE);
        m->pal.answer = answer;
    } else if (error == TV_OK) {
        m->status = IDLE;
    } else {
        assert_true(starved && error == TV_ERROR_NO_MEMORY);
        suite_same(&before, &m->pal);
    }
}

static void step_unregister(struct model *m, unsigned cpu)
{
    suite_run(cpu, m->pal.process);
    enum tv_error error = suite_unregister(cpu, &m->pal);
    if (m->status == NONE) {
        assert_int_equal(error, TV_ERROR_NO_SUCH_PAL);
    } else if (m->status == RUNS) {
        assert_int_equal(error, TV_ERROR_PAL_BUSY);
    } else {
        assert_int_equal(error, TV_OK);
        check_gone(m);
    }
}

static void entered(struct model *m, unsigned cpu)
{
    uint64_t word = 0, shared = SHARED + (unsigned)(m - model) * PAGE_BYTES;
    assert_int_equal(m->status, IDLE);
    m->status = RUNS;
    m->cpu = cpu;
    running[cpu] = m;
    assert_true(suite_pal(cpu, data_of(m) + 8, SUITE_LOAD, &word, 8));
    assert_true(m->secret == 0 || word == m->secret); /* nobody else changed it */
    m->secret = suite_random(~0ULL) | 1;
    assert_true(suite_pal(cpu, data_of(m) + 8, SUITE_STORE, &m->secret, 8));
    assert_true(suite_pal(cpu, data_of(m) + SUITE_PARAM_AT - SUITE_DATA_AT, SUITE_STORE, &word, 8));
    assert_false(suite_pal(cpu, m->pal.section[0].start_addr, SUITE_STORE, &word, 8));
    assert_int_equal(suite_pal(cpu, shared, SUITE_STORE, &m->secret, 8), m->shares);
    for (unsigned n = 0; n < PALS; n++) { /* of other PALs there is nothing */
        assert_true(&model[n] == m || !suite_pal(cpu, data_of(&model[n]), SUITE_LOAD, &word, 8));
    }
}

static void step_call(struct model *m, unsigned cpu)
{
    uint64_t result;
    suite_run(cpu, m->pal.process);
    enum suite_outcome outcome = suite_call(cpu, &m->pal, &none);
    if (outcome == SUITE_ENTERED) {
        assert_false(m->doomed);
        entered(m, cpu);
        return;
    }
    if (outcome == SUITE_WAITS) {
        assert_true(m->status == RUNS && !m->pal.by_number);
        return;
    }
    if (outcome == SUITE_DONE) { /* nothing but the caller's own code */
        assert_true(m->status == NONE && !m->pal.by_number);
        return;
    }
    assert_int_equal(outcome, SUITE_RETURNED);
    enum tv_error error = suite_result(cpu, &m->pal, &result);
    enum tv_error expected = m->status == NONE   ? TV_ERROR_NO_SUCH_PAL
                             : m->status == RUNS ? TV_ERROR_PAL_BUSY
                             : m->status == IDLE ? TV_ERROR_PAL_LOST
                                                 : TV_ERROR_PAL_ENDED;
    assert_int_equal(error, expected);
    assert_true(m->status != IDLE || m->doomed);
}

/* The PAL on this CPU goes on: it returns, is ended, or is told that it is doomed. */
static void step_run(unsigned cpu)
{
    struct model *m = running[cpu];
    uint64_t word, result;
    fake_select_cpu(cpu);
    assert_true(suite_pal(cpu, data_of(m) + 8, SUITE_LOAD, &word, 8));
    assert_int_equal(word, m->secret);
    unsigned how = (unsigned)suite_random(8);
    enum tv_error expected = TV_OK;
    if (how < 4) {
        suite_pal_return(cpu, m->secret);
    } else if (how == 4) {
        suite_pal_stop(cpu, VCPU_STOP_EXCEPTION, (unsigned)suite_random(20), 0x1234);
        expected = TV_ERROR_PAL_FAULT;
    } else if (how == 5) {
        suite_pal_stop(cpu, VCPU_STOP_TIMER, 0, 0);
        expected = TV_ERROR_PAL_TIMEOUT;
    } else {
        suite_pal_stop(cpu, VCPU_STOP_KICK, 0, 0);
        if (!m->doomed) {
            assert_true(suite.isolated[cpu].loaded);
            return;
        }
        expected = TV_ERROR_PAL_LOST;
    }
    assert_int_equal(suite_result(cpu, &m->pal, &result), expected);
    assert_true(expected != TV_OK ||
                result ==
                    (suite_width(m->pal.process) == VCPU_64BIT ? m->secret : (uint32_t)m->secret));
    running[cpu] = NULL;
    m->status = expected == TV_OK ? IDLE : ENDED;
    if (m->status == ENDED) {
        suite_get(m->pal.process, data_of(m) + 8, &word, 8);
        assert_int_equal(word, 0);
    }
}

static void step_share(struct model *m, unsigned cpu)
{
    const struct vcpu *vcpu = &suite.guest[cpu];
    uint64_t range[2] = {SHARED + (unsigned)(m - model) * PAGE_BYTES, PAGE_BYTES};
    suite_run(cpu, m->pal.process);
    uint64_t ds = vcpu->width == VCPU_64BIT ? 0 : vcpu->base[VCPU_DS];
    uint64_t cs = vcpu->width == VCPU_64BIT ? 0 : vcpu->base[VCPU_CS];
    suite_put(m->pal.process, SUITE_BUFFER, &range[0], vcpu->width);
    suite_put(m->pal.process, SUITE_BUFFER + 8, &range[1], vcpu->width);
    enum tv_error error = (enum tv_error)suite_hypercall(
        cpu, TV_SHARE, m->pal.entry - cs, SUITE_BUFFER - ds, SUITE_BUFFER + 8 - ds, 1);
    enum tv_error expected = m->status == NONE    ? TV_ERROR_NO_SUCH_PAL
                             : m->status == RUNS  ? TV_ERROR_PAL_BUSY
                             : m->status == ENDED ? TV_ERROR_PAL_ENDED
                             : m->shares          ? TV_ERROR_SECTION_OVERLAP
                                                  : TV_OK;
    assert_int_equal(error, expected);
    m->shares = m->shares || error == TV_OK;
}

/* Somebody accesses a page of the PAL: its process or the OS, there or elsewhere. */
static void step_access(struct model *m, unsigned cpu)
{
    bool user = suite_random(4) != 0, own = suite_random(2) != 0;
    uint64_t at = m->pal.section[0].start_addr + suite_random(SUITE_PAL_PAGES) * PAGE_BYTES + 32;
    bool code = at - m->pal.section[0].start_addr < SUITE_DATA_AT;
    enum suite_access access = code ? SUITE_FETCH : SUITE_STORE;
    if (m->status == NONE) {
        return;
    }
    if (!own) {
        suite_map(&os, ELSEWHERE, suite_gpa(m->pal.process, at) & ~PAGE_MASK,
                  SUITE_RW | SUITE_EXECUTE);
        at = ELSEWHERE | (at & PAGE_MASK);
    }
    suite_run(cpu, own ? m->pal.process : &os);
    suite.guest[cpu].paging.cpl = user ? 3 : 0;
    enum suite_outcome outcome = suite_guest(cpu, at, access);
    if (user || own) {
        assert_int_equal(outcome, SUITE_REFUSED);
    } else if (m->status == RUNS) {
        assert_int_equal(outcome, SUITE_WAITS);
        m->doomed = true;
    } else {
        assert_int_equal(outcome, SUITE_DONE);
        check_gone(m);
    }
}

/* A process ends, none of whose PALs runs; the OS does not look at its memory. */
static void step_death(unsigned owner)
{
    for (unsigned n = 0; n < PALS; n++) {
        if (model[n].owner == owner && model[n].status == RUNS) {
            return;
        }
    }
    for (unsigned n = 0; n < PALS; n++) {
        struct model *m = &model[n];
        if (m->owner != owner) {
            continue;
        }
        struct suite_pal old = m->pal;
        if (m->status != NONE) { /* a new one with the same page tables is in its place */
            renew(m);
            suite_run(0, &process[owner]);
            assert_int_equal(suite_register(0, &m->pal), TV_OK);
            m->status = IDLE;
            assert_true(suite_find(&old) == suite_find(&m->pal));
        }
    }
}

static void step(void)
{
    struct model *m = &model[suite_random(PALS)];
    unsigned cpu = any_cpu(), what = (unsigned)suite_random(16);

    if (running[cpu] != NULL && what < 12) {
        step_run(cpu);
        what = 15;
    } else if (running[cpu] != NULL) {
        return;
    } else if (what < 4) {
        step_register(m, cpu);
    } else if (what < 9) {
        what = 4;
        step_call(m, cpu);
    } else if (what < 10) {
        step_unregister(m, cpu);
    } else if (what < 12) {
        what = 10;
        step_share(m, cpu);
    } else if (what < 15) {
        what = 12;
        step_access(m, cpu);
    } else if (running[0] == NULL && suite_random(8) == 0) {
        what = 14;
        step_death((unsigned)suite_random(PROCESSES));
    }
    done[what]++;
}

static void start(void)
{
    suite_start();
    memset(running, 0, sizeof running);
    suite_process_make(&os, SUITE_64);
    for (unsigned i = 0; i < PROCESSES; i++) {
        suite_process_make(&process[i], (enum suite_mode)i);
    }
    for (unsigned n = 0; n < PALS; n++) {
        model[n] = (struct model){.owner = n % PROCESSES};
        renew(&model[n]);
    }
    suite_limit_pool(TABLES);
}

static void test_random_history(void **state)
{
    (void)state;
    start();
    struct suite_state before = suite_state(NULL);
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned count = 0;
        step();
        suite_check();
        for (unsigned n = 0; n < PALS; n++) {
            count += model[n].status != NONE;
            assert_int_equal(suite_find(&model[n].pal) != NULL, model[n].status != NONE);
        }
        assert_int_equal(suite.tv.registry.count, count);
    }
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        while (running[cpu] != NULL) {
            step_run(cpu);
        }
    }
    for (unsigned n = 0; n < PALS; n++) {
        step_unregister(&model[n], 0);
    }
    suite_same(&before, NULL);
    assert_true(done[0] > 10 && done[4] > 10 && done[10] > 10 && done[12] > 10 && done[14] > 2);
    assert_true(done[15] > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_history)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
