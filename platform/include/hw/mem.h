/*
 * Access to physical memory and memory-mapped registers.
 *
 * Any CPU, no lock.  Memory is what the firmware reported as RAM plus, for the mmio calls, the rest
 * below CONFIG_MAX_PHYS_BYTES.  The copy calls take addresses that a guest may have chosen: they
 * bound them and report STATUS_FAULT for anything that is not RAM, without a partial copy.  Eight
 * aligned bytes are read at once, as an entry of a guest's page tables has to be.
 * hw_phys_read64/write64 are for our own tables (8-byte aligned, inside RAM: CHECKed); the fake
 * logs every such write and its EPT walker sees it only through its cache rules.
 */
#ifndef HW_MEM_H
#define HW_MEM_H

#include <base/addr.h>
#include <base/status.h>
#include <stddef.h>
#include <stdint.h>

enum status hw_phys_read(struct hpa from, void *to, size_t bytes);
enum status hw_phys_write(struct hpa to, const void *from, size_t bytes);
enum status hw_phys_zero(struct hpa from, uint64_t bytes);
/* Like memmove between physical ranges. */
enum status hw_phys_move(struct hpa to, struct hpa from, uint64_t bytes);

uint64_t hw_phys_read64(struct hpa address);
void hw_phys_write64(struct hpa address, uint64_t value);
/* Sets desired if the value is *expected, else stores the value found there; for A/D bits. */
bool hw_phys_cas64(struct hpa address, uint64_t *expected, uint64_t desired);

/*
 * The eight bytes at an aligned address of memory, where hw_phys_read() would read them, for
 * whoever looks at them again and again; NULL if they are not memory.  The pointer stays good.
 */
const volatile uint64_t *hw_phys_word(struct hpa address);
/* The same of a whole page, to copy a few bytes of it by oneself (<base/copy.h>): NULL unless all
 * of it is memory. */
void *hw_phys_page(struct hpa page);

/*
 * Memory of the pool as a pointer; NULL unless [from, from + bytes) lies inside the hypervisor's
 * region.  Image and stacks may be out of reach this way: they have mappings of their own.
 */
void *hw_region_pointer(struct hpa from, uint64_t bytes);
/* Physical address of an object of ours (image, data, stacks, region); CHECKed. */
struct hpa hw_region_address(const void *pointer);

uint32_t hw_mmio_read32(struct hpa address);
void hw_mmio_write32(struct hpa address, uint32_t value);
/* For devices whose registers are bytes. */
uint8_t hw_mmio_read8(struct hpa address);
void hw_mmio_write8(struct hpa address, uint8_t value);

#endif
