/* The machine's EPT walker, and what a CPU keeps cached until it is told otherwise. */
#include "small_vmm.h"

static uint64_t entry_of(uint64_t gpa)
{
    return EPT_TABLES + 0x3000 + 8 * (gpa >> 12);
}

static void guest_reads(struct fake_guest *guest)
{
    uint8_t byte;
    fake_guest_read(guest, 0x5000, &byte, 1);
    fake_guest_vmcall(guest);
}

static void guest_writes(struct fake_guest *guest)
{
    uint8_t byte = 0x5a;
    fake_guest_linear(guest, 0x12345000);
    fake_guest_write(guest, 0x5008, &byte, 1);
    fake_guest_vmcall(guest);
}

static void guest_fetches(struct fake_guest *guest)
{
    uint8_t byte;
    fake_guest_fetch(guest, 0x5000, &byte, 1);
    fake_guest_vmcall(guest);
}

static void test_walk(void **state)
{
    (void)state;
    vmm_ept();
    struct fake_walk walk = fake_ept_walk(EPT_POINTER, 0x5123);
    assert_int_equal(walk.result, FAKE_WALK_OK);
    assert_int_equal(walk.hpa, 0x5123);
    assert_int_equal(walk.page_bytes, 4096);
    assert_int_equal(walk.rights, 7);
    assert_int_equal(walk.memory_type, 6);
    assert_int_equal(walk.entry_address, entry_of(0x5000));
    walk = fake_ept_walk(EPT_POINTER, 0x212345);
    assert_int_equal(walk.page_bytes, PAGE_2M_BYTES);
    assert_int_equal(walk.hpa, 0x212345);
    walk = fake_ept_walk(EPT_POINTER, 1ULL << 30);
    assert_int_equal(walk.result, FAKE_WALK_VIOLATION);
    assert_int_equal(walk.page_bytes, 1ULL << 30);
    assert_int_equal(fake_ept_walk(EPT_POINTER, 1ULL << 48).result, FAKE_WALK_VIOLATION);
}

static void test_misconfigurations(void **state)
{
    (void)state;
    const uint64_t bad[] = {
        0x5000 | 6 << 3 | 2, 0x5000 | 6 << 3 | 6,     0x5000 | 2 << 3 | 7,
        0x5000 | 7 << 3 | 7, 1ULL << 46 | 6 << 3 | 7,
    };
    vmm_ept();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hw_phys_write64(hpa(entry_of(0x5000)), bad[i]);
        assert_int_equal(fake_ept_walk(EPT_POINTER, 0x5000).result, FAKE_WALK_MISCONFIGURED);
    }
    hw_phys_write64(hpa(EPT_TABLES + 0x2008), 0x201000 | 0x80 | 6 << 3 | 7); /* 2 MiB, unaligned */
    assert_int_equal(fake_ept_walk(EPT_POINTER, 0x200000).result, FAKE_WALK_MISCONFIGURED);
    hw_phys_write64(hpa(EPT_TABLES + 0x1008), 1ULL << 30 | 0x80 | 6 << 3 | 7);
    assert_int_equal(fake_ept_walk(EPT_POINTER, 1ULL << 30).result, FAKE_WALK_OK);
    fake_vmx_ept_vpid_clear(1 << 17); /* no 1-GiB pages */
    assert_int_equal(fake_ept_walk(EPT_POINTER, 1ULL << 30).result, FAKE_WALK_MISCONFIGURED);
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 6 << 3 | 4);
    assert_int_equal(fake_ept_walk(EPT_POINTER, 0x5000).result, FAKE_WALK_OK);
    fake_vmx_ept_vpid_clear(1); /* no execute-only */
    assert_int_equal(fake_ept_walk(EPT_POINTER, 0x5000).result, FAKE_WALK_MISCONFIGURED);
}

static void test_violation(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 6 << 3 | 5);
    fake_guest_set(0, guest_writes, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_value(F_GUEST_PHYSICAL_ADDRESS), 0x5008);
    assert_int_equal(vmcs_value(F_GUEST_LINEAR_ADDRESS), 0x12345000);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 2 | 5 << 3 | 0x180);
    assert_int_equal(fake_tlb_count(0), 0);
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 6 << 3 | 7);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(*(uint8_t *)fake_ram(0x5008, 1), 0x5a);
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 2 << 3 | 7);
    fake_tlb_flush(0);
    assert_int_equal(vmm_enter(&gprs), REASON_EPT_MISCONFIGURATION);
    assert_int_equal(vmcs_value(F_GUEST_PHYSICAL_ADDRESS), 0x5008);
}

/* REQ-MEM-2: addresses stay 64 bits wide, from the access to the exit. */
static void guest_reads_far(struct fake_guest *guest)
{
    uint8_t byte;
    fake_guest_read(guest, *(const uint64_t *)guest->arg, &byte, 1);
}

static void test_violation_above_4_gib(void **state)
{
    (void)state;
    uint64_t places[] = {0x100000000, 0x3ffffffff000, 0x400000000000, 0x800000000};
    vmm_prepare();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct hw_gprs gprs = {{0}};
        fake_guest_set(0, guest_reads_far, &places[i]);
        assert_int_equal(vmm_enter(&gprs), REASON_EPT_VIOLATION);
        assert_int_equal(vmcs_value(F_GUEST_PHYSICAL_ADDRESS), places[i]);
        assert_int_equal(vmcs_value(F_QUALIFICATION), 1 | 0x180);
    }
}

/* REQ-EPT-1, REQ-EPT-3: a missing invalidation leaves the old right in force. */
static void test_cache_lives_until_invept(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_reads, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(fake_tlb_count(0), 1);
    assert_int_equal(fake_tlb_stale(0), 0);
    hw_phys_write64(hpa(entry_of(0x5000)), 0);
    assert_int_equal(fake_tlb_stale(0), 1);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL); /* the guest still reads the page */
    assert_int_equal(hw_invept(HW_INVEPT_SINGLE_CONTEXT, 0x1000 | 6 | 3 << 3), HW_VMX_OK);
    assert_int_equal(fake_tlb_stale(0), 1); /* another context */
    assert_int_equal(fake_superfluous_invalidations(0), 1);
    assert_int_equal(hw_invept(HW_INVEPT_SINGLE_CONTEXT, EPT_POINTER), HW_VMX_OK);
    assert_int_equal(fake_useful_invalidations(0), 1);
    assert_int_equal(fake_tlb_stale(0), 0);
    assert_int_equal(vmm_enter(&gprs), REASON_EPT_VIOLATION);
    assert_int_equal(hw_invept(HW_INVEPT_ALL_CONTEXTS, 0), HW_VMX_OK);
    assert_int_equal(fake_superfluous_invalidations(0), 2);
}

static void test_large_page_is_cached_whole(void **state)
{
    (void)state;
    vmm_ept();
    assert_true(fake_tlb_fill(0, EPT_POINTER, 0x200000));
    assert_true(fake_tlb_fill(0, EPT_POINTER, 0x3ff000));
    assert_int_equal(fake_tlb_count(0), 1);
    /* Split into the same 4-KiB pages: nothing is stale; then one of them goes. */
    uint64_t *table = fake_ram(0x400000, 4096);
    for (uint64_t i = 0; i < 512; i++) {
        table[i] = 0x200000 + i * 4096 + (6 << 3 | 7);
    }
    hw_phys_write64(hpa(EPT_TABLES + 0x2008), 0x400000 | 7);
    assert_int_equal(fake_tlb_stale(0), 0);
    hw_phys_write64(hpa(0x400000 + 8 * 77), 0);
    assert_int_equal(fake_tlb_stale(0), 1);
    assert_false(fake_tlb_fill(0, EPT_POINTER, 1ULL << 40));
}

/* More rights need no invalidation; a cached entry with less of them may still fault once. */
static void test_more_rights_are_not_stale(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 6 << 3 | 1);
    fake_guest_set(0, guest_reads, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    hw_phys_write64(hpa(entry_of(0x5000)), 0x5000 | 6 << 3 | 5);
    assert_int_equal(fake_tlb_stale(0), 0);
    fake_guest_set(0, guest_fetches, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 4 | 1 << 3 | 0x180);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmcs_put(F_EPT_POINTER, EPT_POINTER | 1 << 6);
    fake_guest_set(0, guest_reads, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(hw_phys_read64(hpa(entry_of(0x5000))) & 0x300, 0x100);
    fake_guest_set(0, guest_writes, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(hw_phys_read64(hpa(entry_of(0x5000))) & 0x300, 0x300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_walk, vmm_setup),
        cmocka_unit_test_setup(test_misconfigurations, vmm_setup),
        cmocka_unit_test_setup(test_violation, vmm_setup),
        cmocka_unit_test_setup(test_violation_above_4_gib, vmm_setup),
        cmocka_unit_test_setup(test_cache_lives_until_invept, vmm_setup),
        cmocka_unit_test_setup(test_large_page_is_cached_whole, vmm_setup),
        cmocka_unit_test_setup(test_more_rights_are_not_stale, vmm_setup),
        cmocka_unit_test_setup(test_accessed_and_dirty, vmm_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
