/*
 * Configuration of newlib for the Nacre image: what its own configure would have written.
 *
 * Integer formatting only; no wide characters, no locale, no threads. errno is per CPU: the
 * platform implements base_errno_location(), which gives the address of the calling CPU's errno.
 */
#ifndef __NEWLIB_H__
#define __NEWLIB_H__ 1

#define _NEWLIB_VERSION "3.3.0"
#define __NEWLIB__ 3
#define __NEWLIB_MINOR__ 3
#define __NEWLIB_PATCHLEVEL__ 0

#define _WANT_IO_C99_FORMATS 1
#define _WANT_IO_LONG_LONG 1
#define _MB_LEN_MAX 1
#define _HAVE_LONG_DOUBLE 1
#define _HAVE_CC_INHIBIT_LOOP_TO_LIBCALL 1
#define _LITE_EXIT 1
#define _REENT_GLOBAL_ATEXIT 1

/*
 * Of its per-thread structure, the listed files use nothing but the first member, _errno (reent.c
 * asserts that it is the first). So the structure is never allocated: a pointer to the CPU's errno
 * stands for it.
 */
int *base_errno_location(void);
#define __DYNAMIC_REENT__ 1
#define __getreent() ((struct _reent *)(void *)base_errno_location())

#endif
