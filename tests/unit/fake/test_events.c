/* Injection, NMI, INIT, SIPI, IPIs, the start of CPUs, alone and with a thread for each CPU. */
#include "small_vmm.h"

#include <pthread.h>

static void guest_calls(struct fake_guest *guest)
{
    fake_guest_vmcall(guest);
}

static void guest_returns_from_nmi(struct fake_guest *guest)
{
    fake_guest_iret(guest);
    fake_guest_vmcall(guest);
}

/* REQ-SMP-3 */
static void test_nmi_exits(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_calls, NULL);
    assert_false(hw_nmi_take());
    fake_send_nmi(0);
    fake_send_nmi(0); /* one is latched, not two */
    assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_NMI_PENDING);
    assert_true(hw_nmi_take());
    assert_false(hw_nmi_take());
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
}

static void guest_gets_nmi(struct fake_guest *guest)
{
    fake_send_nmi(guest->cpu);
    fake_guest_vmcall(guest);
}

static void test_nmi_in_guest(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmcs_put(F_INTERRUPTIBILITY, BLOCKING_NMI); /* virtual blocking does not stop the exit */
    fake_guest_set(0, guest_gets_nmi, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs_value(F_EXIT_INTERRUPTION), 0x80000202);
    assert_true(fake_nmi_blocked(0));
    assert_false(hw_nmi_take());
    fake_send_nmi(0);
    assert_false(hw_nmi_take()); /* blocked until an IRET */
    assert_true(fake_nmi_latched(0));
    hw_nmi_unblock();
    assert_true(hw_nmi_take());
    hw_nmi_note();
    assert_true(hw_nmi_take());
}

static void test_nmi_injection_and_window(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_calls, NULL);
    vmcs_put(F_ENTRY_INTERRUPTION, 0x80000202);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(vmcs_value(F_ENTRY_INTERRUPTION), 0x202);
    assert_int_equal(vmcs_value(F_INTERRUPTIBILITY), BLOCKING_NMI);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(fake_delivery_at(0, 0)->type, 2);
    assert_true(fake_delivery_at(0, 0)->injected);
    vmcs_put(F_ENTRY_INTERRUPTION, 0x80000202); /* not while it is blocked */
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
    vmcs_put(F_ENTRY_INTERRUPTION, 0);
    vmcs_put(F_PRIMARY_CONTROLS, vmcs_value(F_PRIMARY_CONTROLS) | PRIMARY_NMI_WINDOW);
    fake_guest_set(0, guest_returns_from_nmi, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_NMI_WINDOW); /* after IRET, before VMCALL */
    assert_int_equal(vmcs_value(F_INTERRUPTIBILITY), 0);
}

/* REQ-SMP-5 */
static void test_delivery_cut_short(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmm_guest_state(false);
    fake_guest_set(0, guest_calls, NULL);
    hw_phys_write64(hpa(EPT_TABLES + 0x3000 + 8 * 9), 0);
    fake_delivery_stack(0, 0x9ff8);
    vmcs_put(F_ENTRY_INTERRUPTION, 0x80000b0d);
    vmcs_put(F_ENTRY_ERROR_CODE, 0x18);
    assert_int_equal(vmm_enter(&gprs), REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_value(F_IDT_VECTORING), 0x80000b0d);
    assert_int_equal(vmcs_value(F_IDT_VECTORING_ERROR_CODE), 0x18);
    assert_int_equal(vmcs_value(F_GUEST_PHYSICAL_ADDRESS), 0x9ff8);
    assert_int_equal(fake_delivery_count(0), 0);
    hw_phys_write64(hpa(EPT_TABLES + 0x3000 + 8 * 9), 0x9000 | 6 << 3 | 7);
    vmcs_put(F_ENTRY_INTERRUPTION, 0x80000b0d);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(vmcs_value(F_IDT_VECTORING), 0);
}

/* REQ-SMP-2: INIT is blocked in root operation, an exit in the guest. */
static void test_init_and_sipi(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_calls, NULL);
    fake_send_init(0);
    assert_true(fake_init_latched(0));
    hw_pause();
    assert_int_equal(fake_cpu_state(0), FAKE_CPU_RUNNING);
    assert_int_equal(vmm_enter(&gprs), REASON_INIT);
    assert_false(fake_init_latched(0));
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    fake_send_sipi(0, 0x12); /* in root operation: lost */
    vmcs_put(F_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI);
    assert_int_equal(FAKE_CATCH(vmm_enter(&gprs)), FAKE_END_TRAP);
}

static void send_sipi(void *arg)
{
    unsigned *calls = arg;
    fake_send_init(0); /* blocked in wait-for-SIPI */
    fake_send_nmi(0);
    if (++*calls == 3) {
        fake_send_sipi(0, 0x9a);
    }
}

static void test_wait_for_sipi(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    unsigned calls = 0;
    vmm_prepare();
    vmcs_put(F_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI);
    fake_on_pause(send_sipi, &calls);
    assert_int_equal(vmm_enter(&gprs), REASON_SIPI);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 0x9a);
    assert_int_equal(calls, 3);
}

static void wake_by_nmi(void *arg)
{
    (void)arg;
    fake_send_nmi(0);
}

/* How a parked CPU is woken: HLT with interrupts off. */
static void test_nmi_ends_halt(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmcs_put(F_ACTIVITY, ACTIVITY_HLT);
    fake_send_interrupt(0, 0x40); /* IF is clear: does not wake */
    fake_on_pause(wake_by_nmi, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs_value(F_ACTIVITY), ACTIVITY_HLT);
}

static void guest_enables(struct fake_guest *guest)
{
    fake_guest_sti(guest);
    fake_guest_rdtsc(guest, &(uint64_t){0});
    fake_guest_vmcall(guest);
}

static void test_interrupts(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_send_interrupt(0, 0x41);
    fake_guest_set(0, guest_enables, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(fake_delivery_at(0, 0)->vector, 0x41);
    assert_int_equal(fake_delivery_at(0, 0)->rip, 0x7c03); /* after STI's shadow */
    vmcs_put(F_GUEST_RFLAGS, 0x202);
    vmcs_put(F_PRIMARY_CONTROLS, vmcs_value(F_PRIMARY_CONTROLS) | PRIMARY_INTERRUPT_WINDOW);
    assert_int_equal(vmm_enter(&gprs), REASON_INTERRUPT_WINDOW);
}

static void guest_runs(struct fake_guest *guest)
{
    fake_guest_run(guest, 1000000);
    fake_guest_vmcall(guest);
}

static void test_timer_and_mtf(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmcs_put(F_PIN_CONTROLS, vmcs_value(F_PIN_CONTROLS) | PIN_PREEMPTION_TIMER);
    vmcs_put(F_PREEMPTION_TIMER, 100);
    fake_guest_set(0, guest_runs, NULL);
    uint64_t before = fake_tsc();
    assert_int_equal(vmm_enter(&gprs), REASON_PREEMPTION);
    assert_in_range(fake_tsc() - before, 100 << 7, (100 << 7) + 1000);
    vmcs_put(F_PIN_CONTROLS, vmcs_value(F_PIN_CONTROLS) & ~PIN_PREEMPTION_TIMER);
    vmcs_put(F_PRIMARY_CONTROLS, vmcs_value(F_PRIMARY_CONTROLS) | PRIMARY_MTF);
    assert_int_equal(vmm_enter(&gprs), REASON_MTF);
}

static void on_start(void *arg, unsigned cpu, uint8_t vector)
{
    unsigned *mask = arg;
    (void)vector;
    *mask |= 1u << cpu;
}

static void start_others(bool x2apic)
{
    struct fake_config config = fake_config_default();
    unsigned mask = 0;
    uint8_t vector = 0;
    config.cpus = 3;
    config.x2apic = x2apic;
    fake_machine_reset(&config);
    fake_on_cpu_start(on_start, &mask);
    fake_cpu_break(2);
    assert_int_equal(hw_apic_is_x2apic(), x2apic);
    assert_true(hw_ap_begin(&vector));
    for (unsigned cpu = 1; cpu < 3; cpu++) {
        uint64_t destination = (uint64_t)fake_apic_id(cpu) << 32;
        hw_ap_prepare(cpu, fake_apic_id(cpu));
        hw_apic_send_ipi(destination | 0x4500);
        hw_delay_us(10000);
        hw_apic_send_ipi(destination | 0x4600 | vector);
        hw_apic_send_ipi(destination | 0x4600 | vector);
    }
    hw_ap_finish();
    assert_true(hw_ap_started(1));
    assert_false(hw_ap_started(2));
    assert_int_equal(mask, 2);
    assert_int_equal(fake_cpu_sipi_vector(1), vector);
    assert_int_equal(fake_cpu_state(2), FAKE_CPU_WAIT_FOR_SIPI);
    assert_int_equal(fake_ipi_count(), 6);
    assert_int_equal(fake_ipi_at(0)->icr, (uint64_t)fake_apic_id(1) << 32 | 0x4500);
    fake_select_cpu(1);
    assert_int_equal(hw_apic_id(), 2);
    hw_apic_send_ipi(0xc0400); /* NMI to all but this one */
    assert_false(fake_nmi_latched(1));
    fake_select_cpu(0);
    assert_true(hw_nmi_take());
    fake_send_init(1); /* no VMX: the CPU is gone */
    fake_select_cpu(1);
    assert_int_equal(FAKE_CATCH(hw_pause()), FAKE_END_TRAP);
}

/* REQ-SMP-1: the start of further CPUs, in both APIC modes. */
static void test_start(void **state)
{
    (void)state;
    start_others(false);
    start_others(true);
}

static void test_apic_registers(void **state)
{
    (void)state;
    struct fake_config config = fake_config_default();
    config.cpus = 2;
    fake_machine_reset(&config);
    fake_cpu_run(1);
    fake_select_cpu(1);
    assert_int_equal(hw_apic_read(HW_APIC_ID), 2u << 24);
    uint64_t value;
    assert_false(hw_rdmsr_safe(0x802, &value));
    assert_false(hw_wrmsr_safe(0x1b, 0xfee00400)); /* x2APIC without enable */
    assert_true(hw_wrmsr_safe(0x1b, 0xfee00c00));
    assert_int_equal(hw_rdmsr(0x802), 2);
    assert_int_equal(hw_rdmsr(0x80d), 1 << 2);
    assert_false(hw_rdmsr_safe(0x80e, &value));    /* no DFR */
    assert_false(hw_wrmsr_safe(0x80b, 1));         /* EOI takes 0 only */
    assert_false(hw_wrmsr_safe(0x1b, 0xfee00800)); /* not back to xAPIC */
    assert_true(hw_wrmsr_safe(0x830, 0x4400));     /* NMI to CPU 0 */
    fake_select_cpu(0);
    assert_true(hw_nmi_take());
}

struct player {
    pthread_t thread;
    unsigned cpu;
    uint32_t reason;
    bool before_entry;
};

static void *play(void *arg)
{
    struct player *player = arg;
    struct hw_gprs gprs = {{0}};
    fake_select_cpu(player->cpu);
    vmm_on();
    vmm_host_state();
    vmm_controls();
    vmm_guest_state(true);
    vmcs_put(F_ACTIVITY, ACTIVITY_HLT);
    /* An NMI that is there before the entry is reported, not lost. */
    if (hw_vmx_enter(&gprs, false) == HW_VMX_NMI_PENDING) {
        player->before_entry = hw_nmi_take();
    } else {
        player->reason = (uint32_t)vmcs_value(F_EXIT_REASON);
    }
    return NULL;
}

/* REQ-SMP-4: CPUs as threads; halted guests are reached by NMI. */
static void test_threads(void **state)
{
    (void)state;
    struct player players[4];
    fake_machine_reset_cpus(5);
    vmm_ept();
    for (unsigned i = 0; i < 4; i++) {
        players[i] = (struct player){.cpu = i + 1, .reason = ~0u};
        fake_cpu_run(i + 1);
        pthread_create(&players[i].thread, NULL, play, &players[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        while (fake_current_vmcs(i + 1) == ~0ULL) {
            hw_pause();
        }
    }
    hw_apic_send_ipi(0xc0400);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(players[i].thread, NULL);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_true(players[i].before_entry || players[i].reason == REASON_EXCEPTION_NMI);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nmi_exits, vmm_setup),
        cmocka_unit_test_setup(test_nmi_in_guest, vmm_setup),
        cmocka_unit_test_setup(test_nmi_injection_and_window, vmm_setup),
        cmocka_unit_test_setup(test_delivery_cut_short, vmm_setup),
        cmocka_unit_test_setup(test_init_and_sipi, vmm_setup),
        cmocka_unit_test_setup(test_wait_for_sipi, vmm_setup),
        cmocka_unit_test_setup(test_nmi_ends_halt, vmm_setup),
        cmocka_unit_test_setup(test_interrupts, vmm_setup),
        cmocka_unit_test_setup(test_timer_and_mtf, vmm_setup),
        cmocka_unit_test_setup(test_start, vmm_setup),
        cmocka_unit_test_setup(test_apic_registers, vmm_setup),
        cmocka_unit_test_setup(test_threads, vmm_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
