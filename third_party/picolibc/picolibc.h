/*
 * Configuration of picolibc for the Nacre image: what its own build would have written.
 *
 * The image has no heap, no files, no locale, no thread-local storage and no floating point, so
 * only integer formatting is chosen. errno is per CPU: the platform implements
 * base_errno_location(), which returns the address of the calling CPU's errno.
 */
#pragma once

#define __PICOLIBC_VERSION__ "1.8.10"
#define __PICOLIBC__ 1
#define __PICOLIBC_MINOR__ 8
#define __PICOLIBC_PATCHLEVEL__ 10
#define _PICOLIBC_VERSION "1.8.10"
#define _PICOLIBC__ 1
#define _PICOLIBC_MINOR__ 8
#define _NEWLIB_VERSION "4.3.0"
#define __NEWLIB__ 4
#define __NEWLIB_MINOR__ 3
#define __NEWLIB_PATCHLEVEL__ 0

#define __PICOLIBC_ERRNO_FUNCTION base_errno_location

#define __TINY_STDIO 1
#define __SINGLE_THREAD 1
#define __IO_DEFAULT 'i'
#define __IO_C99_FORMATS 1
#define __IO_LONG_LONG 1

#define __HAVE_BITFIELDS_IN_PACKED_STRUCTS 1
#define __HAVE_CC_INHIBIT_LOOP_TO_LIBCALL 1
#define _LITE_EXIT 1
#define __FAST_STRCMP 1
