#include <smp/start.h>

#include <base/log.h>
#include <config/config.h>
#include <hw/apic.h>
#include <hw/boot.h>
#include <hw/cpu.h>

/* ICR: level asserted, edge, physical destination, no shorthand (SDM 11.6.1). */
#define ICR_INIT 0x4500u
#define ICR_START_UP 0x4600u
#define XAPIC_LAST_ID 254

/* SDM vol. 3, 9.4.4.1: waits of the INIT-SIPI-SIPI sequence. */
#define AFTER_INIT_US 10000
#define AFTER_SIPI_US 200
#define POLL_US 50

static void send(uint32_t apic_id, uint32_t command)
{
    hw_apic_send_ipi((uint64_t)apic_id << 32 | command);
}

static bool wait_started(unsigned cpu, unsigned timeout_us)
{
    for (unsigned waited_us = 0; !hw_ap_started(cpu); waited_us += POLL_US) {
        if (waited_us >= timeout_us) {
            return false;
        }
        hw_delay_us(POLL_US);
    }
    return true;
}

/* A CPU that runs already ignores a SIPI: the second one is sent only if it is needed. */
static enum status start_one(unsigned cpu, uint32_t apic_id, uint8_t vector)
{
    hw_ap_prepare(cpu, apic_id);
    send(apic_id, ICR_INIT);
    hw_delay_us(AFTER_INIT_US);
    send(apic_id, ICR_START_UP | vector);
    if (wait_started(cpu, AFTER_SIPI_US)) {
        return STATUS_OK;
    }
    send(apic_id, ICR_START_UP | vector);
    if (wait_started(cpu, CONFIG_AP_START_TIMEOUT_US)) {
        return STATUS_OK;
    }
    send(apic_id, ICR_INIT);
    log_error("cannot start: CPU %u (APIC ID %u) did not start within %u ms: switch it off in the "
              "firmware's "
              "setup.",
              cpu, (unsigned)apic_id, (unsigned)CONFIG_AP_START_TIMEOUT_US / 1000);
    return STATUS_TIMEOUT;
}

enum status smp_start_all(const struct smp_table *table)
{
    enum status status = STATUS_OK;
    uint8_t vector;

    for (unsigned cpu = 1; cpu < table->count; cpu++) {
        if (table->cpu[cpu].apic_id > XAPIC_LAST_ID && !hw_apic_is_x2apic()) {
            log_error("cannot start: CPU %u (APIC ID %u) needs x2APIC mode: switch it on in the "
                      "firmware's setup.",
                      cpu, (unsigned)table->cpu[cpu].apic_id);
            return STATUS_UNSUPPORTED;
        }
    }
    if (table->count <= 1) {
        return STATUS_OK;
    }
    if (!hw_ap_begin(&vector)) {
        log_error("cannot start: no free page below 1 MiB for the start of further CPUs.");
        return STATUS_NO_MEMORY;
    }
    for (unsigned cpu = 1; cpu < table->count && status == STATUS_OK; cpu++) {
        status = start_one(cpu, table->cpu[cpu].apic_id, vector);
    }
    hw_ap_finish();
    return status;
}
