/* Counters of calls and failure of the n-th one. */
#include "internal.h"

#include <string.h>

static atomic_uint_least64_t calls[FAKE_CALL_COUNT];
static atomic_uint_least64_t hits;
/* Calls left until the failure, 0 = none planned. */
static uint64_t countdown[FAKE_CALL_COUNT];
static int planned[FAKE_CALL_COUNT];

uint64_t fake_calls(enum fake_call call)
{
    return atomic_load(&calls[call]);
}

void fake_calls_clear(void)
{
    for (unsigned i = 0; i < FAKE_CALL_COUNT; i++) {
        atomic_store(&calls[i], 0);
    }
}

static bool can_fail(enum fake_call call)
{
    switch (call) {
    case FAKE_RDMSR_SAFE:
    case FAKE_WRMSR_SAFE:
    case FAKE_XSETBV_SAFE:
    case FAKE_RANDOM:
    case FAKE_VMXON:
    case FAKE_VMXOFF:
    case FAKE_VMCLEAR:
    case FAKE_VMPTRLD:
    case FAKE_VMREAD:
    case FAKE_VMWRITE:
    case FAKE_INVEPT:
    case FAKE_INVVPID:
    case FAKE_VMX_ENTER:
    case FAKE_PHYS_READ:
    case FAKE_PHYS_WRITE:
    case FAKE_PHYS_ZERO:
    case FAKE_PHYS_MOVE:
    case FAKE_PHYS_CAS64:
    case FAKE_REGION_POINTER:
    case FAKE_AP_BEGIN:
    case FAKE_AP_STARTED:
    case FAKE_NMI_TAKE:
        return true;
    default:
        return false;
    }
}

void fake_fail_nth(enum fake_call call, uint64_t n, int result)
{
    if (!can_fail(call) || n == 0) {
        fake_misuse("fake_fail_nth: call %d cannot report a failure, or n is 0", call);
    }
    fake_lock();
    countdown[call] = n;
    planned[call] = result;
    fake_unlock();
}

void fake_fail_none(void)
{
    fake_lock();
    memset(countdown, 0, sizeof countdown);
    atomic_store(&hits, 0);
    fake_unlock();
}

uint64_t fake_fail_hits(void)
{
    return atomic_load(&hits);
}

void fake_count(enum fake_call call)
{
    atomic_fetch_add(&calls[call], 1);
}

bool fake_enter(enum fake_call call, int *result)
{
    fake_count(call);
    fake_lock();
    bool fails = countdown[call] != 0 && --countdown[call] == 0;
    if (fails) {
        *result = planned[call];
        atomic_fetch_add(&hits, 1);
    }
    fake_unlock();
    return fails;
}
