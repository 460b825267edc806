/* The suite of libtv's tests under cmocka. */
#ifndef TESTS_PAL_TEST_H
#define TESTS_PAL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pal_suite.h"

#include <stdlib.h>

void suite_failed(const char *file, int line, const char *what)
{
    print_error("%s\n", what);
    _fail(file, line);
    abort();
}

#endif
