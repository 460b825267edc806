/* What every test of the fake machine includes: cmocka and the machine. */
#ifndef TESTS_FAKE_SUITE_H
#define TESTS_FAKE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>
#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/io.h>
#include <hw/mem.h>
#include <hw/nmi.h>
#include <hw/vmx.h>
#include <string.h>

#endif
