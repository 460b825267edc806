/* hw/mem.h: copies and their bounds, words, the region. */
#include "contract.h"

#include <config/config.h>
#include <hw/mem.h>

static uint8_t static_object[PAGE_BYTES] __attribute__((aligned(4096)));

static struct hpa at(const struct contract_machine *machine, uint64_t offset)
{
    return hpa(machine->scratch.v + offset);
}

/* REQ-MEM-1 */
static void copies_are_exact(const struct contract_machine *machine)
{
    uint8_t in[5] = {1, 2, 3, 4, 5}, out[7] = {9, 9, 9, 9, 9, 9, 9};
    /* Over a page boundary, at an odd address. */
    struct hpa place = at(machine, PAGE_BYTES - 3);
    REQUIRE(hw_phys_write(place, in, 5) == STATUS_OK);
    REQUIRE(hw_phys_read(place, out + 1, 5) == STATUS_OK);
    REQUIRE(out[0] == 9 && out[1] == 1 && out[3] == 3 && out[5] == 5 && out[6] == 9);
    REQUIRE(hw_phys_zero(at(machine, PAGE_BYTES - 2), 3) == STATUS_OK);
    REQUIRE(hw_phys_read(place, out, 5) == STATUS_OK);
    REQUIRE(out[0] == 1 && out[1] == 0 && out[3] == 0 && out[4] == 5);
}

static void move_takes_overlap(const struct contract_machine *machine)
{
    uint8_t in[6] = {1, 2, 3, 4, 5, 6}, out[6];
    REQUIRE(hw_phys_write(at(machine, 0), in, 6) == STATUS_OK);
    REQUIRE(hw_phys_move(at(machine, 2), at(machine, 0), 4) == STATUS_OK);
    REQUIRE(hw_phys_read(at(machine, 0), out, 6) == STATUS_OK);
    REQUIRE(out[0] == 1 && out[1] == 2 && out[2] == 1 && out[3] == 2 && out[5] == 4);
    REQUIRE(hw_phys_move(at(machine, 0), at(machine, 2), 4) == STATUS_OK);
    REQUIRE(hw_phys_read(at(machine, 0), out, 6) == STATUS_OK);
    REQUIRE(out[0] == 1 && out[3] == 4 && out[4] == 3 && out[5] == 4);
}

/* REQ-MEM-2, REQ-MEM-4: what a guest may ask for. */
static void outside_ram_is_reported(const struct contract_machine *machine)
{
    static const uint64_t places[] = {
        CONFIG_MAX_PHYS_BYTES, CONFIG_MAX_PHYS_BYTES - 4, 1ULL << 52, ~0ULL, ~0ULL - 7, 0xfee00000};
    uint8_t data[8] = {7, 7, 7, 7, 7, 7, 7, 7};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        REQUIRE(hw_phys_read(hpa(places[i]), data, 8) == STATUS_FAULT);
        REQUIRE(hw_phys_write(hpa(places[i]), data, 8) == STATUS_FAULT);
        REQUIRE(hw_phys_zero(hpa(places[i]), 8) == STATUS_FAULT);
        REQUIRE(hw_phys_move(at(machine, 0), hpa(places[i]), 8) == STATUS_FAULT);
        REQUIRE(hw_phys_move(hpa(places[i]), at(machine, 0), 8) == STATUS_FAULT);
        REQUIRE(data[0] == 7 && data[7] == 7);
    }
    REQUIRE(hw_phys_zero(at(machine, 0), ~0ULL) == STATUS_FAULT);
}

static void words_are_exchanged(const struct contract_machine *machine)
{
    struct hpa place = at(machine, 0x108);
    uint64_t expected = 1;
    hw_phys_write64(place, 0x8877665544332211);
    REQUIRE(hw_phys_read64(place) == 0x8877665544332211);
    REQUIRE(!hw_phys_cas64(place, &expected, 5));
    REQUIRE(expected == 0x8877665544332211);
    REQUIRE(hw_phys_cas64(place, &expected, 5));
    REQUIRE(hw_phys_read64(place) == 5);
    uint8_t low = 0;
    REQUIRE(hw_phys_read(place, &low, 1) == STATUS_OK && low == 5);
}

/* What a guest may choose as the place of a page table. */
static void words_can_be_watched(const struct contract_machine *machine)
{
    struct hpa place = at(machine, 0x208);
    hw_phys_write64(place, 7);
    const volatile uint64_t *word = hw_phys_word(place);
    REQUIRE(word != NULL && *word == 7);
    hw_phys_write64(place, 0x8877665544332211);
    REQUIRE(*word == 0x8877665544332211 && hw_phys_word(place) == word);
    uint64_t value = 5;
    REQUIRE(hw_phys_write(place, &value, sizeof value) == STATUS_OK && *word == 5);
    REQUIRE(hw_phys_word(at(machine, 0x204)) == NULL);
    REQUIRE(hw_phys_word(hpa(CONFIG_MAX_PHYS_BYTES)) == NULL);
    REQUIRE(hw_phys_word(hpa(0xfee00000)) == NULL);
    REQUIRE(hw_phys_word(hpa(~7ULL)) == NULL);
}

/* What a guest may choose as a page to read. */
static void pages_can_be_reached(const struct contract_machine *machine)
{
    struct hpa page = hpa(addr_align_up(at(machine, 0).v, PAGE_BYTES));
    hw_phys_write64(page, 0x1122334455667788);
    uint8_t *memory = hw_phys_page(page);
    REQUIRE(memory != NULL && memory[0] == 0x88 && hw_phys_page(page) == memory);
    memory[7] = 0xee;
    REQUIRE(hw_phys_read64(page) == 0xee22334455667788);
    uint8_t last = 5;
    REQUIRE(hw_phys_write(hpa(page.v + PAGE_BYTES - 1), &last, 1) == STATUS_OK);
    REQUIRE(memory[PAGE_BYTES - 1] == 5);
    REQUIRE(hw_phys_page(hpa(page.v + 8)) == NULL);
    REQUIRE(hw_phys_page(hpa(CONFIG_MAX_PHYS_BYTES)) == NULL);
    REQUIRE(hw_phys_page(hpa(0xfee00000)) == NULL);
    REQUIRE(hw_phys_page(hpa(~PAGE_MASK)) == NULL);
}

/* Each length around those that the machine copies in another way. */
static void every_length_is_copied(const struct contract_machine *machine)
{
    uint8_t in[100], out[100];
    for (unsigned bytes = 1; bytes <= 97; bytes++) {
        for (unsigned i = 0; i < sizeof in; i++) {
            in[i] = (uint8_t)(i + bytes);
            out[i] = 0xee;
        }
        struct hpa place = at(machine, 0x300 + bytes % 9);
        REQUIRE(hw_phys_zero(at(machine, 0x2f8), 128) == STATUS_OK);
        REQUIRE(hw_phys_write(place, in + 1, bytes) == STATUS_OK);
        REQUIRE(hw_phys_read(place, out + 1, bytes + 1) == STATUS_OK);
        REQUIRE(out[0] == 0xee && out[bytes + 1] == 0);
        for (unsigned i = 1; i <= bytes; i++) {
            REQUIRE(out[i] == in[i]);
        }
        REQUIRE(hw_phys_read(place, out, bytes) == STATUS_OK && out[bytes] == in[bytes]);
    }
}

static void region_is_bounded(const struct contract_machine *machine)
{
    uint8_t *page = hw_region_pointer(machine->scratch, PAGE_BYTES);
    REQUIRE(page != NULL);
    REQUIRE(hw_region_address(page + 8).v == machine->scratch.v + 8);
    page[16] = 0x3c;
    uint8_t byte = 0;
    REQUIRE(hw_phys_read(at(machine, 16), &byte, 1) == STATUS_OK && byte == 0x3c);
    REQUIRE(hw_region_pointer(hpa(machine->region_end.v - 8), 16) == NULL);
    REQUIRE(hw_region_pointer(machine->region_end, 1) == NULL);
    REQUIRE(hw_region_pointer(hpa(0), 8) == NULL);
    REQUIRE(hw_region_pointer(machine->scratch, ~0ULL) == NULL);
}

static void static_objects_are_in_the_region(const struct contract_machine *machine)
{
    struct hpa address = hw_region_address(static_object);
    REQUIRE(addr_is_aligned(address.v, PAGE_BYTES));
    REQUIRE(address.v < machine->region_end.v);
    REQUIRE(hw_region_address(&static_object[8]).v == address.v + 8);
}

const struct contract_check contract_memory[] = {
    {"memory: copies are exact", copies_are_exact, false},
    {"memory: a move takes overlap", move_takes_overlap, false},
    {"memory: outside RAM is reported", outside_ram_is_reported, false},
    {"memory: words are exchanged", words_are_exchanged, false},
    {"memory: words can be watched", words_can_be_watched, false},
    {"memory: pages can be reached", pages_can_be_reached, false},
    {"memory: every length is copied", every_length_is_copied, false},
    {"memory: the region is bounded", region_is_bounded, false},
    {"memory: static objects are in the region", static_objects_are_in_the_region, false},
    {0},
};
