/* libvmx/emulate_cr.c: MOV to CR0 and CR4, XSETBV. */
#include "suite.h"

#include "emulate.h"

static int setup32(void **state)
{
    suite_setup(state);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

static void test_decode(void **state) /* REQ-CR-5 */
{
    (void)state;
    for (unsigned gpr = 0; gpr < 16; gpr++) {
        struct vmx_cr_access access = vmx_cr_decode(gpr << 8 | 4);
        assert_int_equal(access.gpr, gpr);
        assert_int_equal(access.cr, 4);
        assert_int_equal(access.type, VMX_CR_MOV_TO);
    }
    assert_int_equal(vmx_cr_decode(0x318).type, VMX_CR_MOV_FROM);
    assert_int_equal(vmx_cr_decode(0x318).cr, 8);
    assert_int_equal(vmx_cr_decode(0x20).type, VMX_CR_CLTS);
    assert_int_equal(vmx_cr_decode(0xabcd0030).type, VMX_CR_LMSW);
    assert_int_equal(vmx_cr_decode(0xabcd0030).lmsw_source, 0xabcd);
}

#define PROTECTED (CR0_PE | CR0_ET)
#define CODE32 0xc09b
#define CODE64 0xa09b
#define TSS32 0x8b
#define TSS16 0x83

static void test_legality(void **state) /* REQ-CR-2 */
{
    (void)state;
    static const struct {
        struct vmx_cr_state state;
        uint64_t value;
        bool legal;
    } cases[] = {
        {{PROTECTED, 0, 0, CODE32, TSS32}, PROTECTED | CR0_NE, true},
        {{PROTECTED, 0, 0, CODE32, TSS32}, 1ULL << 32, false},
        {{PROTECTED, 0, 0, CODE32, TSS32}, CR0_PG, false},
        {{PROTECTED, 0, 0, CODE32, TSS32}, CR0_NW, false},
        {{PROTECTED, 0, 0, CODE32, TSS32}, CR0_NW | CR0_CD, true},
        {{PROTECTED, 0, 0, CODE32, TSS32}, PROTECTED | CR0_PG, true},
        /* into IA-32e mode */
        {{PROTECTED, CR4_PAE, EFER_LME, CODE32, TSS32}, PROTECTED | CR0_PG, true},
        {{PROTECTED, 0, EFER_LME, CODE32, TSS32}, PROTECTED | CR0_PG, false},
        {{PROTECTED, CR4_PAE, EFER_LME, CODE64, TSS32}, PROTECTED | CR0_PG, false},
        {{PROTECTED, CR4_PAE, EFER_LME, CODE32, TSS16}, PROTECTED | CR0_PG, false},
        /* and out of it */
        {{PROTECTED | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, CODE32, TSS32}, PROTECTED, true},
        {{PROTECTED | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, CODE64, TSS32}, PROTECTED, false},
        {{PROTECTED | CR0_PG, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, CODE32, TSS32},
         PROTECTED,
         false},
        /* paging unchanged: none of these matters */
        {{PROTECTED | CR0_PG, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, CODE64, TSS32},
         PROTECTED | CR0_PG | CR0_NE,
         true},
        {{PROTECTED, CR4_CET, 0, CODE32, TSS32}, PROTECTED, false},
        {{PROTECTED, CR4_CET, 0, CODE32, TSS32}, PROTECTED | CR0_WP, true},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        if (vmx_cr0_is_legal(&cases[i].state, cases[i].value) != cases[i].legal) {
            fail_msg("case %u", i);
        }
    }
}

struct move {
    unsigned cr;
    enum hw_gpr from;
};

static void mov_then_read_back(struct fake_guest *guest)
{
    const struct move *move = guest->arg;
    if (fake_guest_mov_to_cr(guest, move->cr, move->from)) {
        fake_guest_mov_from_cr(guest, move->cr, HW_R15);
    }
    fake_guest_vmcall(guest);
}

/* MOV to a control register and back, through as many exits as it takes. */
static bool guest_moves(unsigned cr, enum hw_gpr from, uint64_t value, unsigned *exits)
{
    struct move move = {cr, from};
    struct vmx_exit exit;
    fake_guest_set(0, mov_then_read_back, &move);
    fake_deliveries_clear(0);
    vcpu_set_gpr(&suite.vcpu, (enum vcpu_gpr)from, value);
    for (*exits = 0;; ++*exits) {
        assert_true(*exits < 3);
        assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_EXIT);
        if (exit.entry_failed) {
            fail_msg("%s", fake_entry_error(0));
        }
        if (exit.reason == VMX_EXIT_VMCALL) {
            return fake_delivery_count(0) == 0;
        }
        assert_int_equal(exit.reason, VMX_EXIT_CR_ACCESS);
        assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
        if (suite.vcpu.event.info) {
            assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
            assert_int_equal(suite.vcpu.event.error_code, 0);
            suite.vcpu.event.info = 0;
            return false;
        }
    }
}

static void test_ne_reads_back_as_written(void **state) /* REQ-CR-1 */
{
    (void)state;
    unsigned exits;
    assert_true(guest_moves(0, HW_RAX, PROTECTED, &exits));
    assert_int_equal(exits, 0);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], PROTECTED);
    assert_true(guest_moves(0, HW_RAX, PROTECTED | CR0_NE, &exits));
    assert_int_equal(exits, 1);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], PROTECTED | CR0_NE);
    assert_true(guest_moves(0, HW_RAX, PROTECTED | CR0_NE | CR0_WP, &exits));
    assert_int_equal(exits, 0);
    assert_true(guest_moves(0, HW_RAX, PROTECTED, &exits));
    assert_int_equal(exits, 1);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], PROTECTED);
    assert_true(field(VMCS_GUEST_CR0) & CR0_NE); /* in hardware always */
}

static void test_every_register(void **state) /* REQ-CR-5 */
{
    for (unsigned gpr = 0; gpr < 15; gpr++) { /* R15 takes what is read back */
        unsigned exits;
        setup32(state);
        assert_true(guest_moves(0, (enum hw_gpr)gpr, PROTECTED | CR0_NE, &exits));
        assert_int_equal(exits, 1);
        assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], PROTECTED | CR0_NE);
    }
}

static void test_upper_half_is_ignored_outside_64_bit_mode(void **state) /* REQ-CR-5 */
{
    (void)state;
    struct vmx_exit exit = {.reason = VMX_EXIT_CR_ACCESS, .qualification = 0};
    vcpu_set_gpr(&suite.vcpu, VCPU_RAX, 0xffffffff00000000 | PROTECTED | CR0_NE);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(suite.vcpu.event.info, 0);
    assert_true(field(VMCS_CR0_READ_SHADOW) & CR0_NE);
    fake_field_set(0, VMCS_GUEST_CS_ACCESS_RIGHTS, CODE64);
    fake_field_set(0, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
}

static void test_illegal_cr0_changes_nothing(void **state) /* REQ-CR-1, REQ-CR-2 */
{
    (void)state;
    unsigned exits;
    uint64_t cr0 = field(VMCS_GUEST_CR0), shadow = field(VMCS_CR0_READ_SHADOW);
    assert_false(guest_moves(0, HW_RBX, CR0_NE | CR0_PG, &exits));
    assert_false(guest_moves(0, HW_RBX, CR0_NE | CR0_PE | CR0_NW, &exits));
    assert_int_equal(field(VMCS_GUEST_CR0), cr0);
    assert_int_equal(field(VMCS_CR0_READ_SHADOW), shadow);
}

/* What Linux writes first: PE, NE and PG in one instruction. */
static void test_into_long_mode_with_ne(void **state) /* REQ-CR-2 */
{
    (void)state;
    unsigned exits;
    fake_field_set(0, VMCS_GUEST_CR4, field(VMCS_GUEST_CR4) | CR4_PAE);
    fake_field_set(0, VMCS_GUEST_IA32_EFER, EFER_LME);
    assert_true(guest_moves(0, HW_RAX, 0x80050033, &exits));
    assert_int_equal(exits, 1);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], 0x80050033);
    assert_true(field(VMCS_GUEST_IA32_EFER) & EFER_LMA);
    assert_true(field(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
    assert_null(fake_entry_check(0));
}

static void test_hidden_cr4_bits_fault(void **state) /* REQ-CR-3, REQ-MSR-4 */
{
    (void)state;
    static const uint64_t hidden[] = {CR4_VMXE,   CR4_SMXE,   CR4_CET,    1ULL << 24,
                                      1ULL << 25, 1ULL << 19, 1ULL << 32, 1ULL << 63};
    unsigned exits;
    for (unsigned i = 0; i < COUNT(hidden); i++) {
        struct vmx_exit exit = {.reason = VMX_EXIT_CR_ACCESS, .qualification = 4};
        setup32(state);
        fake_field_set(0, VMCS_GUEST_CS_ACCESS_RIGHTS, CODE64);
        fake_field_set(0, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
        vcpu_set_gpr(&suite.vcpu, VCPU_RAX, hidden[i] | CR4_PAE);
        assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
        assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
    }
    setup32(state);
    assert_false(guest_moves(4, HW_RSI, CR4_VMXE | CR4_PAE, &exits));
    assert_true(field(VMCS_GUEST_CR4) & CR4_VMXE);
    assert_true(guest_moves(4, HW_RSI, CR4_PAE, &exits));
    assert_int_equal(exits, 0);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R15], CR4_PAE);
    assert_true(field(VMCS_GUEST_CR4) & CR4_VMXE);
}

static void test_other_accesses_are_not_ours(void **state)
{
    (void)state;
    static const uint64_t qualifications[] = {3, 8, 0x13, 0x20, 0x30};
    for (unsigned i = 0; i < COUNT(qualifications); i++) {
        struct vmx_exit exit = {.reason = VMX_EXIT_CR_ACCESS, .qualification = qualifications[i]};
        assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_NOT_HANDLED);
    }
    struct vmx_exit exit = {.reason = VMX_EXIT_CR_ACCESS, .qualification = 0};
    vcpu_set_gpr(&suite.vcpu, VCPU_RAX, PROTECTED); /* no bit of ours changes */
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_NOT_HANDLED);
    exit.qualification = 4;
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_NOT_HANDLED);
}

static void test_xcr0_legality(void **state) /* REQ-CR-7 */
{
    (void)state;
    struct vmx_caps caps = {.xcr0_bits = 0x602ff};
    static const struct {
        uint64_t value;
        bool legal;
    } cases[] = {{0, false},
                 {1, true},
                 {2, false},
                 {3, true},
                 {5, false},
                 {7, true},
                 {0x1f, false},
                 {0xe7, true},
                 {0x67, false},
                 {0xe3, false},
                 {0x207, true},
                 {0x400, false},
                 {0x401, false},
                 {0x60007, true},
                 {0x20007, false},
                 {0x40007, false},
                 {1ULL << 63 | 1, false}};
    for (unsigned i = 0; i < COUNT(cases); i++) {
        if (vmx_xcr0_is_legal(&caps, cases[i].value) != cases[i].legal) {
            fail_msg("case %u", i);
        }
    }
}

struct xsetbv {
    uint32_t index;
    uint64_t value;
};

static void execute_xsetbv(struct fake_guest *guest)
{
    const struct xsetbv *xsetbv = guest->arg;
    fake_guest_xsetbv(guest, xsetbv->index, xsetbv->value);
    fake_guest_vmcall(guest);
}

static bool guest_xsetbv(uint32_t index, uint64_t value)
{
    struct xsetbv xsetbv = {index, value};
    fake_guest_set(0, execute_xsetbv, &xsetbv);
    struct vmx_exit exit = suite_run_to_exit(NULL, VMX_EXIT_XSETBV);
    uint64_t rip = field(VMCS_GUEST_RIP);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    bool fault = suite.vcpu.event.info != 0;
    assert_int_equal(field(VMCS_GUEST_RIP), fault ? rip : rip + 3);
    assert_true(!fault || (suite.vcpu.event.info & 0xff) == X86_GP);
    suite.vcpu.event.info = 0;
    return !fault;
}

static void test_xsetbv(void **state) /* REQ-CR-7 */
{
    (void)state;
    fake_field_set(0, VMCS_GUEST_CR4, field(VMCS_GUEST_CR4) | CR4_OSXSAVE);
    assert_true(guest_xsetbv(0, 7));
    assert_int_equal(fake_xcr0(0), 7);
    assert_false(guest_xsetbv(1, 7));
    assert_false(guest_xsetbv(0, 6));
    assert_false(guest_xsetbv(0, 0x1f)); /* MPX is hidden */
    fake_fail_nth(FAKE_XSETBV_SAFE, 1, 0);
    assert_false(guest_xsetbv(0, 3)); /* the CPU has the last word */
    assert_int_equal(fake_xcr0(0), 7);
}

static void test_xsetbv_needs_cpl_0(void **state) /* REQ-CR-7 */
{
    (void)state;
    struct vmx_exit exit = {.reason = VMX_EXIT_XSETBV};
    vmx_vcpu_set_msr_value(&suite.vcpu, 3);
    fake_field_set(0, VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_legality),
        cmocka_unit_test_setup(test_ne_reads_back_as_written, setup32),
        cmocka_unit_test(test_every_register),
        cmocka_unit_test_setup(test_upper_half_is_ignored_outside_64_bit_mode, setup32),
        cmocka_unit_test_setup(test_illegal_cr0_changes_nothing, setup32),
        cmocka_unit_test_setup(test_into_long_mode_with_ne, setup32),
        cmocka_unit_test_setup(test_hidden_cr4_bits_fault, setup32),
        cmocka_unit_test_setup(test_other_accesses_are_not_ours, setup32),
        cmocka_unit_test(test_xcr0_legality),
        cmocka_unit_test_setup(test_xsetbv, setup32),
        cmocka_unit_test_setup(test_xsetbv_needs_cpl_0, setup32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
