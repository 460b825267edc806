/* cmocka and the headers that it must come after. */
#ifndef TESTS_LIBSMP_SUITE_H
#define TESTS_LIBSMP_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
