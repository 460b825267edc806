/* Layout of the MTRR registers: SDM vol. 3, section 12.11, and their numbers: SDM vol. 4. */
#ifndef LIBEPT_MTRR_BITS_H
#define LIBEPT_MTRR_BITS_H

#include <base/bits.h>
#include <ept/mtrr.h>

#define IA32_MTRRCAP 0xfeU
#define IA32_MTRR_PHYSBASE0 0x200U /* base and mask alternate */
#define IA32_MTRR_FIX64K_00000 0x250U
#define IA32_MTRR_FIX16K_80000 0x258U
#define IA32_MTRR_FIX16K_A0000 0x259U
#define IA32_MTRR_FIX4K_C0000 0x268U
#define IA32_MTRR_FIX4K_F8000 0x26fU
#define IA32_MTRR_DEF_TYPE 0x2ffU

#define MTRR_CAP_VCNT 0xffULL
#define MTRR_CAP_FIX BIT(8)
#define MTRR_CAP_WC BIT(10)
#define MTRR_TYPE 0xffULL /* of IA32_MTRR_DEF_TYPE and IA32_MTRR_PHYSBASEn */
#define MTRR_DEF_TYPE_FE BIT(10)
#define MTRR_DEF_TYPE_E BIT(11)
#define MTRR_PHYSMASK_V BIT(11)

#endif
