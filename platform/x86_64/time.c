/* Time from the TSC, calibrated once against the PIT when somebody first needs it. */
#include <base/check.h>
#include <hw/cpu.h>
#include <hw/io.h>

#define PIT_HZ 1193182
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PORT_SYSTEM_CONTROL_B 0x61
#define CALIBRATION_TICKS (PIT_HZ / 200) /* 5 ms */
#define POLL_LIMIT 10000000
#define ASSUMED_HZ 4000000000ULL /* without a PIT: rather wait too long */
#define MAX_DELAY_US 10000000

static uint64_t tsc_hz;

/* Channel 2 counts down once in mode 0; its output is bit 5 of port 0x61. */
static uint64_t calibrate(void)
{
    uint32_t control = hw_io_read(PORT_SYSTEM_CONTROL_B, 1);
    hw_io_write(PORT_SYSTEM_CONTROL_B, 1, (control & ~2u) | 1);
    hw_io_write(PIT_COMMAND, 1, 0xb0);
    hw_io_write(PIT_CHANNEL_2, 1, CALIBRATION_TICKS & 0xff);
    hw_io_write(PIT_CHANNEL_2, 1, CALIBRATION_TICKS >> 8);
    uint64_t start = hw_rdtsc();
    unsigned polls = 0;
    while (!(hw_io_read(PORT_SYSTEM_CONTROL_B, 1) & 0x20) && ++polls < POLL_LIMIT) {
        hw_pause();
    }
    uint64_t elapsed = hw_rdtsc() - start;
    hw_io_write(PORT_SYSTEM_CONTROL_B, 1, control);
    return polls < POLL_LIMIT && elapsed > 0 ? elapsed * 200 : ASSUMED_HZ;
}

uint64_t hw_tsc_hz(void)
{
    if (tsc_hz == 0) {
        tsc_hz = calibrate();
    }
    return tsc_hz;
}

void hw_delay_us(uint32_t us)
{
    CHECK(us <= MAX_DELAY_US);
    uint64_t start = hw_rdtsc();
    uint64_t ticks = hw_tsc_hz() / 1000000 * us + us;
    while (hw_rdtsc() - start < ticks) {
        hw_pause();
    }
}
