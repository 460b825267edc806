/*
 * <vcpu/vcpu.h>, <vcpu/isolated.h> and <world/world.h> for tests: strict about who is loaded, on
 * which CPU, and when.
 */
#include "pal_suite.h"

#include <hw/cpu.h>
#include <world/world.h>

struct suite suite;

static void check_loaded(const struct vcpu *vcpu)
{
    SUITE_CHECK(vcpu != NULL && vcpu->loaded);
    SUITE_CHECK(hw_this_cpu() == vcpu->cpu);
    SUITE_CHECK(!vcpu->isolated || vcpu->active);
}

void suite_vcpus_init(void)
{
    memset(suite.guest, 0, sizeof(suite.guest));
    memset(suite.isolated, 0, sizeof(suite.isolated));
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        fake_cpu_run(cpu);
        suite.guest[cpu].cpu = suite.isolated[cpu].cpu = cpu;
        suite.guest[cpu].loaded = true;
        suite.guest[cpu].width = VCPU_64BIT;
        suite.guest[cpu].paging.cpl = 3;
        suite.isolated[cpu].isolated = suite.isolated[cpu].has_vector = true;
    }
}

unsigned vcpu_cpu(const struct vcpu *vcpu)
{
    check_loaded(vcpu);
    return vcpu->cpu;
}

uint64_t vcpu_gpr(const struct vcpu *vcpu, enum vcpu_gpr gpr)
{
    check_loaded(vcpu);
    return vcpu->gpr[gpr];
}

void vcpu_set_gpr(struct vcpu *vcpu, enum vcpu_gpr gpr, uint64_t value)
{
    check_loaded(vcpu);
    vcpu->gpr[gpr] = value;
}

uint64_t vcpu_rip(const struct vcpu *vcpu)
{
    check_loaded(vcpu);
    return vcpu->rip;
}

void vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    check_loaded(vcpu);
    vcpu->rip = rip;
}

uint64_t vcpu_rflags(const struct vcpu *vcpu)
{
    check_loaded(vcpu);
    return vcpu->rflags;
}

void vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
    check_loaded(vcpu);
    vcpu->rflags = rflags;
}

uint64_t vcpu_segment_base(const struct vcpu *vcpu, enum vcpu_seg seg)
{
    check_loaded(vcpu);
    return vcpu->base[seg];
}

enum vcpu_width vcpu_width(const struct vcpu *vcpu)
{
    check_loaded(vcpu);
    return vcpu->width;
}

unsigned vcpu_cpl(const struct vcpu *vcpu)
{
    check_loaded(vcpu);
    return vcpu->paging.cpl;
}

void vcpu_paging(const struct vcpu *vcpu, struct vcpu_paging *paging)
{
    check_loaded(vcpu);
    SUITE_CHECK(!vcpu->isolated);
    *paging = vcpu->paging;
    paging->width = vcpu->width;
}

void vcpu_skip_instruction(struct vcpu *vcpu)
{
    check_loaded(vcpu);
    vcpu->skipped++;
}

void vcpu_inject_exception(struct vcpu *vcpu, unsigned vector, bool has_error_code,
                           uint32_t error_code)
{
    check_loaded(vcpu);
    SUITE_CHECK(!vcpu->isolated && vector < 32);
    vcpu->injected.count++;
    vcpu->injected.vector = vector;
    vcpu->injected.has_error_code = has_error_code;
    vcpu->injected.error_code = error_code;
}

void vcpu_load(struct vcpu *vcpu)
{
    unsigned cpu = vcpu->cpu;
    SUITE_CHECK(hw_this_cpu() == cpu);
    suite.guest[cpu].loaded = vcpu == &suite.guest[cpu];
    suite.isolated[cpu].loaded = vcpu == &suite.isolated[cpu];
}

bool vcpu_is_loaded(const struct vcpu *vcpu)
{
    return vcpu->loaded;
}

bool vcpu_isolated_has_vector(const struct vcpu *isolated)
{
    SUITE_CHECK(isolated->isolated && hw_this_cpu() == isolated->cpu);
    return isolated->has_vector;
}

void vcpu_isolated_start(struct vcpu *isolated, const struct vcpu_isolated_start *start)
{
    SUITE_CHECK(isolated->isolated && !isolated->active && !isolated->loaded);
    check_loaded(&suite.guest[isolated->cpu]);
    SUITE_CHECK(start->width == VCPU_32BIT || start->width == VCPU_64BIT);
    SUITE_CHECK(!start->vector || isolated->has_vector);
    vcpu_load(isolated);
    isolated->active = true;
    isolated->start = *start;
    isolated->starts++;
    isolated->width = start->width;
    memset(isolated->gpr, 0, sizeof(isolated->gpr));
    isolated->gpr[VCPU_RSP] = start->rsp;
    isolated->rip = start->rip;
    isolated->rflags = 2;
    isolated->paging.cpl = 3;
    if (start->invalidate) {
        suite_drop(isolated->cpu, start->nested_root);
    }
}

void vcpu_isolated_end(struct vcpu *isolated, struct vcpu *guest)
{
    check_loaded(isolated);
    SUITE_CHECK(isolated->isolated && guest == &suite.guest[isolated->cpu]);
    isolated->active = false;
    isolated->ends++;
    memset(isolated->gpr, 0, sizeof(isolated->gpr));
    vcpu_load(guest);
}

void suite_cache(unsigned cpu, const struct suite_cached *translation)
{
    for (unsigned i = 0; i < suite.cached_count[cpu]; i++) {
        struct suite_cached *cached = &suite.cached[cpu][i];
        if (cached->root == translation->root && cached->address == translation->address &&
            cached->linear == translation->linear) {
            /* A stale translation would have been used. */
            SUITE_CHECK(cached->hpa == translation->hpa && cached->rights == translation->rights);
            return;
        }
    }
    if (suite.cached_count[cpu] < SUITE_CACHED) {
        suite.cached[cpu][suite.cached_count[cpu]++] = *translation;
    } else {
        suite.cached[cpu][suite_random(SUITE_CACHED)] = *translation;
    }
}

void suite_drop(unsigned cpu, uint64_t root)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < suite.cached_count[cpu]; i++) {
        if (suite.cached[cpu][i].root != root) {
            suite.cached[cpu][kept++] = suite.cached[cpu][i];
        }
    }
    suite.cached_count[cpu] = kept;
}

void suite_interfere(unsigned nth, suite_play *play, void *arg)
{
    suite.play = play;
    suite.play_arg = arg;
    suite.countdown = nth;
    suite.events = 0;
}

/* Other CPUs act before a stop is complete, and while this one polls. */
static void others(unsigned cpu)
{
    suite.events++;
    if (suite.play != NULL && --suite.countdown == 0) {
        suite_play *play = suite.play;
        suite.play = NULL;
        play(suite.play_arg);
        fake_select_cpu(cpu);
    }
}

void world_stop(unsigned cpu)
{
    SUITE_CHECK(!suite.stopped && cpu < SUITE_CPUS && hw_this_cpu() == cpu);
    others(cpu);
    SUITE_CHECK(!suite.stopped);
    suite.stopped = true;
    suite.stopper = cpu;
    suite.stops++;
}

void world_resume(unsigned cpu)
{
    SUITE_CHECK(suite.stopped && suite.stopper == cpu && hw_this_cpu() == cpu);
    suite.stopped = false;
    for (unsigned other = 0; other < SUITE_CPUS; other++) {
        suite_drop(other, ept_pointer(&suite.map));
    }
}

void world_guard(bool on)
{
    SUITE_CHECK(suite.stopped && suite.guarded != on);
    suite.guarded = on;
}

void world_poll(unsigned cpu)
{
    SUITE_CHECK(!suite.stopped && hw_this_cpu() == cpu);
    suite.polls++;
    fake_tsc_advance(suite.poll_cycles);
    others(cpu);
}
