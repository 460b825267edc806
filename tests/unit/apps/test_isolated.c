/* Isolated code in the run loop: whose an exit is. */
#include "one_vcpu.h"
#include "run.h"

#include <vmx/state.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

static unsigned nmis_collected, stops;
static struct vcpu_stop last_stop;

void run_collect_nmi(struct nacre_cpu *self)
{
    assert_ptr_equal(self, &nacre.cpu[0]);
    nmis_collected++;
}

void run_entry_refused(const struct nacre_cpu *self, const struct vmx_exit *exit)
{
    fail_msg("CPU %u: VM-instruction error %u", self->vcpu.cpu, exit->instruction_error);
}

/* A hypapp that ends isolated code whatever it did. */
void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop)
{
    stops++;
    last_stop = *stop;
    vcpu_isolated_end(isolated, &nacre.cpu[0].vcpu);
}

static int setup(void **state)
{
    (void)state;
    struct nacre_cpu *self = &nacre.cpu[0];
    struct vcpu *guest = one_vcpu();
    struct vmx_config config = {
        .caps = &nacre.caps,
        .msr_bitmap = one_page(),
        .io_bitmap_a = one_page(),
        .io_bitmap_b = one_page(),
        .ept_pointer = one_page().v | EPT_WRITE_BACK_4_LEVELS,
        .vpid = 1,
    };
    struct vcpu_isolated_start start = {
        .width = VCPU_64BIT, .nested_root = config.ept_pointer, .rip = 0x1000, .rsp = 0x2000};
    assert_int_equal(vmx_vcpu_init_isolated(&self->isolated, guest, &config, one_page(), NULL),
                     STATUS_OK);
    smp_startup_init(&self->startup, false);
    vmx_state_protected32(guest, 0x100000, 0);
    vcpu_isolated_start(&self->isolated, &start);
    nmis_collected = stops = 0;
    return 0;
}

static void vmcall(struct fake_guest *guest)
{
    fake_guest_vmcall(guest);
}

static void test_stops_are_the_hypapps(void **state)
{
    (void)state;
    fake_guest_set(0, vmcall, NULL);
    run_isolated(&nacre.cpu[0]);
    assert_int_equal(stops, 1);
    assert_int_equal(last_stop.reason, VCPU_STOP_CALL);
    assert_true(nacre.cpu[0].vcpu.loaded);
}

static void init_arrives(struct fake_guest *guest)
{
    fake_send_init(0);
    fake_guest_vmcall(guest);
}

static void test_init_waits(void **state) /* REQ-PAL-6 */
{
    (void)state;
    fake_guest_set(0, init_arrives, NULL);
    run_isolated(&nacre.cpu[0]);
    assert_int_equal(stops, 0);
    assert_true(smp_startup_pending(&nacre.cpu[0].startup));
    assert_true(nacre.cpu[0].isolated.loaded); /* which goes on */
}

static void nmi_arrives(struct fake_guest *guest)
{
    fake_send_nmi(0);
    fake_guest_vmcall(guest);
}

static void test_nmis_are_collected(void **state) /* REQ-PAL-6 */
{
    (void)state;
    fake_guest_set(0, nmi_arrives, NULL);
    run_isolated(&nacre.cpu[0]);
    assert_int_equal(nmis_collected, 1);
    assert_int_equal(stops, 1); /* the hypapp looks whether it is still to go on */
    assert_int_equal(last_stop.reason, VCPU_STOP_KICK);
}

static void machine_check(struct fake_guest *guest)
{
    fake_guest_raise(guest, X86_MC, false, 0);
}

static void test_machine_checks_reach_the_guest(void **state) /* REQ-PAL-6 */
{
    (void)state;
    fake_guest_set(0, machine_check, NULL);
    run_isolated(&nacre.cpu[0]);
    assert_int_equal(stops, 1);
    assert_int_equal(last_stop.vector, X86_MC);
    assert_int_equal(nacre.cpu[0].vcpu.event.info & INTERRUPTION_VECTOR, X86_MC);
}

static void test_refused_state_is_said_once(void **state) /* REQ-PAL-9 */
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        fake_console_clear();
        fake_field_set(0, VMCS_GUEST_RIP, 1ULL << 62); /* not canonical */
        run_isolated(&nacre.cpu[0]);
        assert_int_equal(last_stop.reason, VCPU_STOP_OTHER);
        assert_int_equal(fake_console_contains("refuses"), i == 0);
        vcpu_isolated_start(
            &nacre.cpu[0].isolated,
            &(struct vcpu_isolated_start){.width = VCPU_64BIT,
                                          .nested_root = 0x1000 | EPT_WRITE_BACK_4_LEVELS});
    }
    assert_int_equal(stops, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_stops_are_the_hypapps, setup),
        cmocka_unit_test_setup(test_init_waits, setup),
        cmocka_unit_test_setup(test_nmis_are_collected, setup),
        cmocka_unit_test_setup(test_machine_checks_reach_the_guest, setup),
        cmocka_unit_test_setup(test_refused_state_is_said_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
