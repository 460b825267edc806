/* Guest instructions: which exit, with which information, and what they do when they do not. */
#include "small_vmm.h"

struct msr_access {
    uint32_t msr;
    bool is_write, done;
    uint64_t value;
};

static void guest_msr(struct fake_guest *guest)
{
    struct msr_access *access = guest->arg;
    if (access->is_write) {
        access->done = fake_guest_wrmsr(guest, access->msr, access->value);
    } else {
        access->done = fake_guest_rdmsr(guest, access->msr, &access->value);
    }
    fake_guest_vmcall(guest);
}

/* REQ-MSR-9: what the bitmap lets through does not exit. */
static void test_msr_bitmap(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    struct msr_access access = {.msr = 0xc0000102, .is_write = true, .value = 0xffff800012345678};
    uint8_t *bitmap = fake_ram(MSR_BITMAP, 4096);
    vmm_prepare();
    fake_guest_set(0, guest_msr, &access);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_true(access.done);
    assert_int_equal(vmcs_value(F_GUEST_RIP), 0x7c02);
    assert_int_equal(fake_msr_get(0, 0xc0000102), 0xffff800012345678);
    bitmap[3072 + 0x102 / 8] = 1 << (0x102 % 8); /* write, high range */
    assert_int_equal(vmm_enter(&gprs), REASON_WRMSR);
    assert_int_equal(gprs.gpr[HW_RCX], 0xc0000102);
    assert_int_equal(gprs.gpr[HW_RAX], 0x12345678);
    assert_int_equal(gprs.gpr[HW_RDX], 0xffff8000);
    access = (struct msr_access){.msr = 0x1b};
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(access.value, 0xfee00900);
    bitmap[0x1b / 8] = 1 << (0x1b % 8); /* read, low range */
    assert_int_equal(vmm_enter(&gprs), REASON_RDMSR);
    access.msr = 0x40000000; /* in neither range */
    assert_int_equal(vmm_enter(&gprs), REASON_RDMSR);
    access.msr = 0x1234; /* does not exist: #GP in the guest, no exit */
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_false(access.done);
    assert_int_equal(fake_delivery_at(0, 0)->vector, 13);
    assert_false(fake_delivery_at(0, 0)->injected);
}

/* REQ-MSR-2: state that entry and exit switch. */
static void test_switched_msrs(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    struct msr_access access = {.msr = 0xc0000101, .is_write = true, .value = 0x5000};
    struct hw_host_state host;
    hw_host_state(&host);
    vmm_prepare();
    fake_guest_set(0, guest_msr, &access);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(vmcs_value(F_GUEST_ES_BASE + 10), 0x5000);
    assert_int_equal(hw_rdmsr(0xc0000101), host.gs_base);
    access = (struct msr_access){.msr = 0x277, .is_write = true, .value = 0x06};
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(vmcs_value(F_GUEST_PAT), 0x06);
    assert_int_equal(hw_rdmsr(0x277), 0x0007040600070406);
}

static void guest_ports(struct fake_guest *guest)
{
    uint32_t *value = guest->arg;
    assert_true(fake_guest_out(guest, 0x80, 1, 0x55));
    assert_true(fake_guest_in(guest, 0x64, 1, value));
    fake_guest_out(guest, 0xcf8, 4, 0x80000000);
}

static void guest_string(struct fake_guest *guest)
{
    fake_guest_string_io(guest, 0x1f0, 2, true, true, 0x9000);
}

static void test_io_bitmap(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    uint32_t value = 0;
    uint8_t *bitmap = fake_ram(IO_BITMAP, 8192);
    vmm_prepare();
    bitmap[0xcfb / 8] |= 1 << (0xcfb % 8); /* the last byte of the access */
    fake_io_set(0x64, 0x1c);
    fake_guest_set(0, guest_ports, &value);
    assert_int_equal(vmm_enter(&gprs), REASON_IO);
    assert_int_equal(value, 0x1c);
    assert_int_equal(fake_io_count(), 2);
    assert_int_equal(fake_io_at(0)->value, 0x55);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 0xcf8 << 16 | 3);
    assert_int_equal(gprs.gpr[HW_RAX], 0x80000000);
    bitmap[0x1f0 / 8] |= 1;
    fake_guest_set(0, guest_string, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_IO);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 0x1f0 << 16 | 0x39);
    assert_int_equal(vmcs_value(F_GUEST_LINEAR_ADDRESS), 0x9000);
}

struct cr_move {
    unsigned cr;
    uint64_t value;
    bool done, from;
};

static void guest_cr(struct fake_guest *guest)
{
    struct cr_move *move = guest->arg;
    if (move->from) {
        move->done = fake_guest_mov_from_cr(guest, move->cr, HW_RSI);
        move->value = guest->gprs->gpr[HW_RSI];
    } else {
        guest->gprs->gpr[HW_RSI] = move->value;
        move->done = fake_guest_mov_to_cr(guest, move->cr, HW_RSI);
    }
    fake_guest_vmcall(guest);
}

/* REQ-CR-1, REQ-CR-3: masks and shadows. */
static void test_cr_masks(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    struct cr_move move = {.cr = 4, .value = 0x2010};
    vmm_prepare();
    fake_guest_set(0, guest_cr, &move);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL); /* no mask: loaded as it is */
    assert_int_equal(vmcs_value(F_GUEST_CR4), 0x2010);
    vmcs_put(F_CR4_MASK, 0x2000);
    move = (struct cr_move){.cr = 4, .value = 0x20};
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL); /* VMXE stays, unseen */
    assert_int_equal(vmcs_value(F_GUEST_CR4), 0x2020);
    move = (struct cr_move){.cr = 4, .from = true};
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(move.value, 0x20);
    move = (struct cr_move){.cr = 4, .value = 0x2000};
    assert_int_equal(vmm_enter(&gprs), REASON_CR);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 4 | HW_RSI << 8);
    assert_int_equal(vmcs_value(F_INSTRUCTION_LENGTH), 3);
    move = (struct cr_move){.cr = 0, .value = 0x80000000}; /* PG without PE */
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_false(move.done);
}

/* REQ-CR-4: PDPTEs come from memory through EPT. */
static void test_pae_loads_pdptes(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    struct cr_move move = {.cr = 0, .value = 0x80000031};
    vmm_prepare();
    hw_phys_write64(hpa(0x6020), 0x7001);
    vmcs_put(F_GUEST_CR3, 0x6020);
    vmcs_put(F_GUEST_CR4, 0x2020);
    fake_guest_set(0, guest_cr, &move);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_true(move.done);
    assert_int_equal(vmcs_value(F_GUEST_PDPTE0), 0x7001);
    hw_phys_write64(hpa(0x6028), 0x7003); /* reserved bit: #GP and no change */
    move = (struct cr_move){.cr = 3, .value = 0x6020};
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_false(move.done);
    assert_int_equal(vmcs_value(F_GUEST_PDPTE0 + 2), 0);
}

static void guest_xsetbv(struct fake_guest *guest)
{
    bool *done = guest->arg;
    *done = fake_guest_xsetbv(guest, 0, 7);
    fake_guest_vmcall(guest);
}

static void test_xsetbv(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    bool done = true;
    vmm_prepare();
    fake_guest_set(0, guest_xsetbv, &done);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL); /* #UD: CR4.OSXSAVE is clear */
    assert_false(done);
    assert_int_equal(fake_delivery_at(0, 0)->vector, 6);
    vmcs_put(F_GUEST_CR4, 0x42000);
    assert_int_equal(vmm_enter(&gprs), REASON_XSETBV);
    assert_int_equal(gprs.gpr[HW_RAX], 7);
}

static void guest_faults(struct fake_guest *guest)
{
    fake_guest_linear(guest, 0x4444);
    fake_guest_raise(guest, 14, true, 2);
    fake_guest_vmcall(guest);
}

static void test_exception_bitmap(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmm_guest_state(false);
    fake_guest_set(0, guest_faults, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(fake_delivery_at(0, 0)->cr2, 0x4444);
    assert_int_equal(fake_delivery_at(0, 0)->error_code, 2);
    vmcs_put(F_EXCEPTION_BITMAP, 1 << 14);
    assert_int_equal(vmm_enter(&gprs), REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs_value(F_EXIT_INTERRUPTION), 0x80000b0e);
    assert_int_equal(vmcs_value(F_EXIT_ERROR_CODE), 2);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 0x4444);
}

static void guest_paged(struct fake_guest *guest)
{
    uint64_t value = 0;
    bool *done = guest->arg;
    *done = fake_guest_load(guest, 0x400ffc, &value, 8) && value == 0x8877665544332211;
    fake_guest_vmcall(guest);
}

/* 4-level paging under EPT, an access across two pages, and the combined cache. */
static void test_linear_access(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    bool done = false;
    const uint64_t tables = 0x10000;
    vmm_prepare();
    hw_phys_write64(hpa(tables), (tables + 0x1000) | 7);
    hw_phys_write64(hpa(tables + 0x1000), (tables + 0x2000) | 7);
    hw_phys_write64(hpa(tables + 0x2010), (tables + 0x3000) | 7);
    hw_phys_write64(hpa(tables + 0x3000), 0x20000 | 7);
    hw_phys_write64(hpa(tables + 0x3008), 0x22000 | 7);
    uint64_t bytes = 0x8877665544332211;
    memcpy(fake_ram(0x20ffc, 4), &bytes, 4);
    memcpy(fake_ram(0x22000, 4), (uint8_t *)&bytes + 4, 4);
    vmm_guest_state(false);
    vmcs_put(F_GUEST_CR3, tables);
    vmcs_put(F_GUEST_CR4, 0x2020);
    vmcs_put(F_GUEST_EFER, 0xd00);
    vmcs_put(F_ENTRY_CONTROLS, vmcs_value(F_ENTRY_CONTROLS) | ENTRY_IA32E);
    fake_guest_set(0, guest_paged, &done);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_true(done);
    assert_true(hw_phys_read64(hpa(tables + 0x3000)) & 0x20); /* accessed */
    size_t cached = fake_tlb_count(0);
    hw_phys_write64(hpa(tables + 0x3000), 0);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL); /* still cached: no INVLPG */
    assert_true(done);
    hw_invvpid(HW_INVVPID_SINGLE_CONTEXT, 1, 0);
    assert_int_equal(fake_tlb_count(0), cached - 2);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_false(done);
    assert_int_equal(fake_delivery_at(0, 0)->vector, 14);
    assert_int_equal(fake_delivery_at(0, 0)->cr2, 0x400ffc);
    assert_int_equal(fake_delivery_at(0, 0)->error_code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_msr_bitmap, vmm_setup),
        cmocka_unit_test_setup(test_switched_msrs, vmm_setup),
        cmocka_unit_test_setup(test_io_bitmap, vmm_setup),
        cmocka_unit_test_setup(test_cr_masks, vmm_setup),
        cmocka_unit_test_setup(test_pae_loads_pdptes, vmm_setup),
        cmocka_unit_test_setup(test_xsetbv, vmm_setup),
        cmocka_unit_test_setup(test_exception_bitmap, vmm_setup),
        cmocka_unit_test_setup(test_linear_access, vmm_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
