/* libsmp/icr.c: the guest's inter-processor interrupts (REQ-SMP-1, REQ-SMP-2). */
#include "suite.h"

#include <base/bits.h>
#include <smp/icr.h>
#include <stdbool.h>

#define CPUS 6

/* APIC IDs 0, 1, 4, 5, 18, 35; xAPIC flat: LDR bit n for CPU n. */
static void make_apics(struct smp_apic *apics, bool x2apic)
{
    static const uint32_t ids[CPUS] = {0, 1, 4, 5, 18, 35};

    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        apics[cpu] = (struct smp_apic){.id = ids[cpu], .x2apic = x2apic};
        smp_apic_reset(&apics[cpu]);
        apics[cpu].ldr = 1u << (24 + cpu);
    }
}

static uint64_t targets_xapic(uint32_t low, uint32_t destination, const struct smp_apic *apics)
{
    struct smp_icr icr;

    smp_icr_decode_xapic(&icr, low, destination << 24);
    return smp_icr_targets(&icr, apics, CPUS, 2);
}

static uint64_t targets_x2apic(uint32_t low, uint32_t destination, const struct smp_apic *apics)
{
    struct smp_icr icr;

    smp_icr_decode_x2apic(&icr, (uint64_t)destination << 32 | low);
    return smp_icr_targets(&icr, apics, CPUS, 2);
}

static void test_fields(void **state)
{
    struct smp_icr icr;

    (void)state;
    smp_icr_decode_xapic(&icr, 0x000cce9a, 0x7f123456);
    assert_int_equal(icr.vector, 0x9a);
    assert_int_equal(icr.delivery, SMP_DELIVERY_START_UP);
    assert_true(icr.logical && icr.assert &&icr.level && !icr.x2apic && !icr.broadcast);
    assert_int_equal(icr.shorthand, SMP_SHORTHAND_OTHERS);
    assert_int_equal(icr.destination, 0x7f);
    smp_icr_decode_x2apic(&icr, 0x123456ff00000521);
    assert_int_equal(icr.vector, 0x21);
    assert_int_equal(icr.delivery, SMP_DELIVERY_INIT);
    assert_true(!icr.logical && !icr.assert && !icr.level && icr.x2apic && !icr.broadcast);
    assert_int_equal(icr.destination, 0x123456ff);
}

/* REQ-SMP-2: over all values of the fields that matter, INIT and SIPI never reach the hardware. */
static void test_REQ_SMP_2_actions(void **state)
{
    (void)state;
    for (uint32_t low = 0; low < 0x100000; low += 0x100) {
        static const enum smp_ipi_action expected[8] = {
            SMP_IPI_HARDWARE, SMP_IPI_HARDWARE, SMP_IPI_HARDWARE, SMP_IPI_IGNORE,
            SMP_IPI_NMI,      SMP_IPI_INIT,     SMP_IPI_START_UP, SMP_IPI_IGNORE};
        struct smp_icr icr;
        enum smp_ipi_action wanted = expected[(low >> 8) & 7];
        if ((low & 0xc700) == 0x8500) { /* INIT level de-assert */
            wanted = SMP_IPI_IGNORE;
        }
        smp_icr_decode_xapic(&icr, low, 0);
        assert_int_equal(smp_icr_action(&icr), wanted);
        smp_icr_decode_x2apic(&icr, low);
        assert_int_equal(smp_icr_action(&icr), wanted);
    }
}

/* What goes to the hardware is what the guest wrote, without reserved and read-only bits. */
static void test_hardware_value(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t known = 0xffffffff000ccfff;
        struct smp_icr icr;
        smp_icr_decode_x2apic(&icr, BIT(bit));
        assert_true(smp_icr_hardware(&icr) == (BIT(bit) & known));
        assert_int_equal(smp_icr_x2apic_faults(BIT(bit)), (BIT(bit) & known) == 0 && bit != 12);
    }
    struct smp_icr icr;
    smp_icr_decode_xapic(&icr, 0x8c0f1, 0x05000000);
    assert_true(smp_icr_hardware(&icr) == 0x50008c0f1);
}

/* REQ-SMP-1: every shorthand, whatever the destination says, in both modes. */
static void test_REQ_SMP_1_shorthands(void **state)
{
    struct smp_apic apics[CPUS];

    (void)state;
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        make_apics(apics, x2apic != 0);
        for (unsigned destination = 0; destination < 256; destination++) {
            for (unsigned logical = 0; logical < 2; logical++) {
                uint32_t low = 0x500 | logical << 11;
                uint64_t (*targets)(uint32_t, uint32_t, const struct smp_apic *) =
                    x2apic ? targets_x2apic : targets_xapic;
                assert_true(targets(low | 1u << 18, destination, apics) == 0x04);
                assert_true(targets(low | 2u << 18, destination, apics) == 0x3f);
                assert_true(targets(low | 3u << 18, destination, apics) == 0x3b);
            }
        }
    }
}

static void test_REQ_SMP_1_physical(void **state)
{
    struct smp_apic apics[CPUS];

    (void)state;
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        make_apics(apics, x2apic != 0);
        for (uint32_t destination = 0; destination < 255; destination++) {
            uint64_t wanted = 0;
            for (unsigned cpu = 0; cpu < CPUS; cpu++) {
                wanted |= apics[cpu].id == destination ? BIT(cpu) : 0;
            }
            assert_true((x2apic ? targets_x2apic(0x500, destination, apics)
                                : targets_xapic(0x500, destination, apics)) == wanted);
        }
    }
    /* 0xFF is everybody in xAPIC mode and an ordinary ID in x2APIC mode. */
    make_apics(apics, false);
    assert_true(targets_xapic(0x500, 0xff, apics) == 0x3f);
    make_apics(apics, true);
    assert_true(targets_x2apic(0x500, 0xff, apics) == 0);
    assert_true(targets_x2apic(0x500, 0xffffffff, apics) == 0x3f);
    assert_true(targets_x2apic(0x500, 0x10000000, apics) == 0);
    apics[3].id = 0x10000000;
    assert_true(targets_x2apic(0x500, 0x10000000, apics) == 0x08);
}

static void test_REQ_SMP_1_logical_flat(void **state)
{
    struct smp_apic apics[CPUS];

    (void)state;
    make_apics(apics, false);
    for (uint32_t destination = 0; destination < 255; destination++) {
        assert_true(targets_xapic(0xd00, destination, apics) == (destination & 0x3f));
    }
    assert_true(targets_xapic(0xd00, 0xff, apics) == 0x3f);
    /* Broadcast reaches also who has no logical ID. */
    apics[1].ldr = 0;
    assert_true(targets_xapic(0xd00, 0xfe, apics) == 0x3c);
    assert_true(targets_xapic(0xd00, 0xff, apics) == 0x3f);
}

static void test_REQ_SMP_1_logical_cluster(void **state)
{
    struct smp_apic apics[CPUS];

    (void)state;
    make_apics(apics, false);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) { /* clusters 0 and 1, three CPUs each */
        apics[cpu].dfr = 0x0fffffff;
        apics[cpu].ldr = (cpu / 3 << 4 | 1u << cpu % 3) << 24;
    }
    assert_true(targets_xapic(0xd00, 0x01, apics) == 0x01);
    assert_true(targets_xapic(0xd00, 0x06, apics) == 0x06);
    assert_true(targets_xapic(0xd00, 0x0f, apics) == 0x07);
    assert_true(targets_xapic(0xd00, 0x15, apics) == 0x28);
    assert_true(targets_xapic(0xd00, 0x18, apics) == 0);
    assert_true(targets_xapic(0xd00, 0x2f, apics) == 0);
    assert_true(targets_xapic(0xd00, 0xff, apics) == 0x3f);
    /* No model is defined for other values of DFR[31:28]. */
    apics[0].dfr = 0x7fffffff;
    assert_true(targets_xapic(0xd00, 0x0f, apics) == 0x06);
}

/* The logical ID follows from the ID: cluster = ID[19:4], bit = ID[3:0]. */
static void test_REQ_SMP_1_logical_x2apic(void **state)
{
    struct smp_apic apics[CPUS];

    (void)state;
    make_apics(apics, true); /* IDs 0, 1, 4, 5, 18, 35 */
    assert_true(targets_x2apic(0xd00, 0x00000001, apics) == 0x01);
    assert_true(targets_x2apic(0xd00, 0x00000033, apics) == 0x0f);
    assert_true(targets_x2apic(0xd00, 0x00000020, apics) == 0x08);
    assert_true(targets_x2apic(0xd00, 0x0001ffff, apics) == 0x10);
    assert_true(targets_x2apic(0xd00, 0x00010004, apics) == 0x10);
    assert_true(targets_x2apic(0xd00, 0x00010008, apics) == 0);
    assert_true(targets_x2apic(0xd00, 0x00020008, apics) == 0x20);
    assert_true(targets_x2apic(0xd00, 0xffffffff, apics) == 0x3f);
    assert_true(targets_x2apic(0xd00, 0x00ff0001, apics) == 0);
    apics[0].id = 0xabcde; /* the cluster has 16 bits */
    assert_true(targets_x2apic(0xd00, 0xabcd4000, apics) == 0x01);
}

static void test_reset(void **state)
{
    struct smp_apic apic = {.id = 9, .ldr = 5, .dfr = 7, .icr_high = 3, .x2apic = true};

    (void)state;
    smp_apic_reset(&apic);
    assert_int_equal(apic.id, 9);
    assert_int_equal(apic.ldr, 0);
    assert_true(apic.dfr == 0xffffffff);
    assert_int_equal(apic.icr_high, 0);
}

static void test_64_cpus(void **state)
{
    static struct smp_apic apics[64];
    struct smp_icr icr;

    (void)state;
    smp_icr_decode_x2apic(&icr, 0x000c0500);
    assert_true(smp_icr_targets(&icr, apics, 64, 63) == 0x7fffffffffffffff);
    assert_true(smp_icr_targets(&icr, apics, 1, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_REQ_SMP_2_actions),
        cmocka_unit_test(test_hardware_value),
        cmocka_unit_test(test_REQ_SMP_1_shorthands),
        cmocka_unit_test(test_REQ_SMP_1_physical),
        cmocka_unit_test(test_REQ_SMP_1_logical_flat),
        cmocka_unit_test(test_REQ_SMP_1_logical_cluster),
        cmocka_unit_test(test_REQ_SMP_1_logical_x2apic),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_64_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
