/* The hook of INT 15h: its installation, and every call with good and hostile registers. */
#include "cmocka_all.h"

#include "int15.h"

#include <fake/machine.h>
#include <string.h>

#define MIB (1ULL << 20)
#define SMAP 0x534d4150U
#define REGION (96 * MIB)

static struct memmap map;
static struct int15_hook hook;
static struct int15_regs regs;

static void poke(unsigned address, uint64_t value, unsigned bytes)
{
    memcpy(fake_ram(address, bytes), &value, bytes);
}

static uint64_t peek(uint64_t address, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, fake_ram(address, bytes), bytes);
    return value;
}

static int fresh(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    map.count = 0;
    assert_int_equal(memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RAM), STATUS_OK);
    assert_int_equal(memmap_set(&map, 0x9fc00, 0xa0000, HW_MEMORY_RESERVED), STATUS_OK);
    assert_int_equal(memmap_set(&map, MIB, 128 * MIB, HW_MEMORY_RAM), STATUS_OK);
    assert_int_equal(memmap_set(&map, REGION, 128 * MIB, HW_MEMORY_RESERVED), STATUS_OK);
    poke(0x413, 639, 2);
    poke(0x54, 0xf000f859, 4);
    regs = (struct int15_regs){
        .eax = 0xe820, .edx = SMAP, .ecx = 20, .edi = 0x100, .esp = 0x7bf0, .es_base = 0x5000};
    return 0;
}

static int installed(void **state)
{
    fresh(state);
    assert_int_equal(int15_install(&map, &hook), STATUS_OK);
    return 0;
}

static bool carry(void)
{
    return (peek(regs.ss_base + ((regs.esp + 4) & 0xffff), 1) & 1) != 0;
}

static void call(void)
{
    /* the carry flag as the caller left it is the opposite of the answer, whichever that is */
    uint64_t flags = regs.ss_base + ((regs.esp + 4) & 0xffff);
    struct int15_regs before = regs;
    poke((unsigned)flags, 0x46, 1);
    assert_int_equal(int15_handle(&map, &regs), STATUS_OK);
    bool first = carry();
    poke((unsigned)flags, 0x47, 1);
    regs = before;
    assert_int_equal(int15_handle(&map, &regs), STATUS_OK);
    assert_int_equal(carry(), first);
    assert_int_equal(peek(flags, 1) & 0xfe, 0x46);
}

static void assert_refused(void)
{
    struct int15_regs before = regs;
    call();
    assert_true(carry());
    assert_int_equal(regs.eax, (before.eax & 0xffff00ffU) | 0x8600);
    assert_int_equal(regs.ebx, before.ebx);
    assert_int_equal(regs.ecx, before.ecx);
    assert_int_equal(regs.edx, before.edx);
}

static void test_install(void **state)
{
    (void)state;
    assert_int_equal(int15_install(&map, &hook), STATUS_OK);
    assert_true(hook.start == 0x9f800);
    assert_true(memmap_is(&map, 0x9f800, 0xa0000, HW_MEMORY_RESERVED));
    assert_true(memmap_is(&map, 0, 0x9f800, HW_MEMORY_RAM));
    assert_int_equal(peek(0x413, 2), 638);
    assert_int_equal(peek(0x54, 4), 0x9f800000);
    assert_memory_equal(fake_ram(hook.vmcall, 4), "\x0f\x01\xc1\xcf", 4); /* vmcall; iret */
    /* the four calls go on at 19h, the rest to the BIOS */
    const uint8_t *code = fake_ram(hook.start, 0x31);
    for (unsigned at = 3; at <= 0x12; at += 5) {
        assert_int_equal(code[at], 0x74);
        assert_int_equal(at + 2 + code[at + 1], 0x19);
    }
    assert_int_equal(code[0x14], 0xea);
    assert_int_equal(peek(hook.start + 0x15, 4), 0xf000f859);
    /* in virtual-8086 mode (CR0.PE) no VMCALL, but AH = 86h and carry */
    assert_memory_equal(code + 0x19, "\x50\x0f\x01\xe0\xa8\x01\x58\x75\x04", 9);
    assert_true(hook.start + 0x22 == hook.vmcall);
    assert_memory_equal(code + 0x26, "\xb4\x86\x55\x89\xe5\x80\x4e\x06\x01\x5d\xcf", 11);
}

static void test_install_below_what_the_map_reserves(void **state)
{
    (void)state;
    assert_int_equal(memmap_set(&map, 0x9f000, 0xa0000, HW_MEMORY_RESERVED), STATUS_OK);
    assert_int_equal(int15_install(&map, &hook), STATUS_OK);
    assert_true(hook.start == 0x9ec00);
    assert_int_equal(peek(0x413, 2), 0x9ec00 / 1024);
}

static void test_no_bios_changes_nothing(void **state)
{
    const struct {
        unsigned kib;
        uint32_t vector;
        bool ram;
    } cases[] = {{0, 0xf000f859, true},      {63, 0xf000f859, true}, {641, 0xf000f859, true},
                 {0xffff, 0xf000f859, true}, {639, 0, true},         {639, 0xf000f859, false}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh(state);
        poke(0x413, cases[i].kib, 2);
        poke(0x54, cases[i].vector, 4);
        if (!cases[i].ram) {
            assert_int_equal(memmap_set(&map, 0, 0xa0000, HW_MEMORY_RESERVED), STATUS_OK);
        }
        unsigned count = map.count;
        assert_int_equal(int15_install(&map, &hook), STATUS_UNSUPPORTED);
        assert_int_equal(map.count, count);
        assert_int_equal(peek(0x413, 2), cases[i].kib);
        assert_int_equal(peek(0x54, 4), cases[i].vector);
    }
}

/* REQ-BOOT-2: every entry, EBX = 0 and carry clear at the end, the region never as RAM. */
static void test_e820_gives_every_entry_req_boot_2(void **state)
{
    (void)state;
    unsigned count = 0;
    uint64_t ram_bytes = 0;
    do {
        regs.eax = 0xe820;
        regs.edx = SMAP;
        regs.ecx = count % 2 == 0 ? 20 : 4096;
        poke(0x5100 + 20, 0x77777777, 4);
        call();
        assert_false(carry());
        assert_int_equal(regs.eax, SMAP);
        assert_int_equal(regs.ecx, count % 2 == 0 ? 20 : 24);
        assert_int_equal(peek(0x5100 + 20, 4), count % 2 == 0 ? 0x77777777 : 1);
        uint64_t start = peek(0x5100, 8);
        uint64_t bytes = peek(0x5108, 8);
        assert_true(start == map.ranges[count].start);
        assert_true(start + bytes == map.ranges[count].end);
        if (peek(0x5110, 4) == HW_MEMORY_RAM) {
            assert_true(start + bytes <= REGION);
            ram_bytes += bytes;
        }
        count++;
    } while (regs.ebx != 0);
    assert_int_equal(count, map.count);
    assert_true(ram_bytes == memmap_ram_bytes(&map));
}

static void test_e820_refuses_bad_arguments(void **state)
{
    regs.edx = SMAP + 1;
    assert_refused();
    installed(state);
    regs.ecx = 19;
    assert_refused();
    installed(state);
    regs.ecx = 0;
    assert_refused();
    installed(state);
    regs.ebx = map.count;
    assert_refused();
    installed(state);
    regs.ebx = UINT32_MAX;
    assert_refused();
    installed(state);
    regs.eax = 0x1234e820; /* upper half does not matter */
    call();
    assert_false(carry());
}

/* The buffer's offset wraps in its segment. */
static void test_e820_buffer_wraps(void **state)
{
    for (unsigned offset = 0xffe0; offset <= 0xffff; offset++) {
        installed(state);
        regs.es_base = 0x20000;
        regs.edi = 0xabcd0000 | offset; /* upper half of EDI does not count */
        regs.ecx = 24;
        regs.ebx = 1;
        call();
        assert_false(carry());
        struct memmap_e820 entry = memmap_e820(&map, 1);
        uint8_t expected[24];
        memcpy(expected, &entry, 20);
        memcpy(expected + 20, "\1\0\0\0", 4);
        for (unsigned i = 0; i < sizeof(expected); i++) {
            assert_int_equal(peek(0x20000 + ((offset + i) & 0xffff), 1), expected[i]);
        }
        unsigned after = 0x20000 + ((offset + 24) & 0xffff);
        assert_int_equal(peek(after, 1), 0);
        assert_int_equal(peek(0x30000, 8), 0); /* no byte past the segment */
    }
}

/* REQ-BOOT-3: only SP[15:0] counts, and SP + 4 wraps. */
static void test_stack_wraps_req_boot_3(void **state)
{
    const uint32_t pointers[] = {0x7bf0, 0xffff7bf0,         0xfffa, 0xfffb, 0xfffc, 0xfffd, 0xfffe,
                                 0xffff, 0x12340000 | 0xfffe};
    for (unsigned i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        installed(state);
        regs.ss_base = 0x30000;
        regs.esp = pointers[i];
        regs.edx = 0;
        call();
        assert_true(carry());
        assert_int_equal(peek(0x30000 + ((pointers[i] + 4) & 0xffff), 1), 0x47);
        assert_int_equal(peek(0x40000, 8), 0);
    }
}

/* Nothing outside the guest's conventional memory and RAM is written, whatever the bases are. */
static void test_hostile_buffers(void **state)
{
    const uint64_t bases[] = {0xa0000,    0xf0000,    0xe0000,           0x10ffe8,
                              0x110000,   0xffff0000, 1ULL << 32,        REGION,
                              1ULL << 52, UINT64_MAX, UINT64_MAX - 0x100};
    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        installed(state);
        regs.es_base = bases[i];
        assert_refused();
        installed(state);
        regs.ss_base = bases[i];
        assert_int_equal(int15_handle(&map, &regs), STATUS_FAULT);
    }
    installed(state); /* the high memory area is the guest's if it is RAM */
    regs.es_base = 0xffff0;
    regs.edi = 0x0010;
    call();
    assert_false(carry());
    assert_true(peek(MIB + 8, 8) == 0x9f800);
    installed(state);
    assert_int_equal(memmap_set(&map, MIB, 2 * MIB, HW_MEMORY_RESERVED), STATUS_OK);
    regs.es_base = 0xffff0;
    regs.edi = 0x0010;
    assert_refused();
    installed(state); /* half of it in video memory */
    regs.es_base = 0x9fff0;
    regs.edi = 0;
    assert_refused();
    assert_int_equal(peek(0x9fff0, 8), 0);
}

static void test_e801_e881_and_88(void **state)
{
    (void)state;
    regs = (struct int15_regs){
        .eax = 0xaaaae801, .ebx = 0xbbbb0000, .ecx = 0xcccc0000, .edx = 0xdddd0000, .esp = 0x7bf0};
    call();
    assert_false(carry());
    assert_int_equal(regs.eax, 0xaaaa3c00);
    assert_int_equal(regs.ecx, 0xcccc3c00);
    assert_int_equal(regs.ebx, 0xbbbb0000U | (80 * MIB >> 16));
    assert_int_equal(regs.edx, 0xdddd0000U | (80 * MIB >> 16));
    regs.eax = 0xe881;
    call();
    assert_false(carry());
    assert_int_equal(regs.eax, 0x3c00);
    assert_int_equal(regs.ecx, 0x3c00);
    assert_int_equal(regs.ebx, 80 * MIB >> 16);
    assert_int_equal(regs.edx, 80 * MIB >> 16);
    regs.eax = 0x12348855;
    call();
    assert_false(carry());
    assert_int_equal(regs.eax, 0x1234fc00);
    regs.eax = 0x2401; /* not ours: the hook never sends it */
    assert_refused();
}

/* Any registers whatever: an answer, never a write into the region. */
static void test_random_registers(void **state)
{
    (void)state;
    uint64_t seed = 0x15;
    uint64_t *marker = fake_ram(REGION, 8);
    const uint32_t functions[] = {0xe820, 0xe801, 0xe881, 0x8800, 0x1234};
    *marker = 0x6161616161616161;
    for (unsigned round = 0; round < 100000; round++) {
        uint64_t mask = round % 3 == 0 ? UINT64_MAX : round % 3 == 1 ? 0xffff0 : 0x1ffffff;
        regs = (struct int15_regs){.eax = functions[random_next(&seed) % 5],
                                   .ebx = (uint32_t)(random_next(&seed) % 8),
                                   .ecx = (uint32_t)random_next(&seed) >> random_next(&seed) % 32,
                                   .edx = round % 7 == 0 ? 0 : SMAP,
                                   .edi = (uint32_t)random_next(&seed),
                                   .esp = (uint32_t)random_next(&seed),
                                   .es_base = random_next(&seed) & mask,
                                   .ss_base = random_next(&seed) & mask};
        enum status status = int15_handle(&map, &regs);
        assert_true(status == STATUS_OK || status == STATUS_FAULT);
    }
    assert_true(*marker == 0x6161616161616161);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_install, fresh),
        cmocka_unit_test_setup(test_install_below_what_the_map_reserves, fresh),
        cmocka_unit_test(test_no_bios_changes_nothing),
        cmocka_unit_test_setup(test_e820_gives_every_entry_req_boot_2, installed),
        cmocka_unit_test_setup(test_e820_refuses_bad_arguments, installed),
        cmocka_unit_test(test_e820_buffer_wraps),
        cmocka_unit_test(test_stack_wraps_req_boot_3),
        cmocka_unit_test(test_hostile_buffers),
        cmocka_unit_test_setup(test_e801_e881_and_88, installed),
        cmocka_unit_test_setup(test_random_registers, installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
