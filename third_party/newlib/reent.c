/*
 * What newlib expects of the system below it.
 *
 * Any CPU, no lock. The image has no heap, so an allocation fails with ENOMEM; newlib's formatter
 * asks for one only for conversions that the image does not use, and reports the error.
 */
#include <errno.h>
#include <locale.h>
#include <reent.h>
#include <stddef.h>

_Static_assert(offsetof(struct _reent, _errno) == 0, "newlib.h: a pointer to errno stands for it");

int *__errno(void)
{
    return base_errno_location();
}

void *_malloc_r(struct _reent *reent, size_t size)
{
    (void)size;
    reent->_errno = ENOMEM;
    return NULL;
}

void *_realloc_r(struct _reent *reent, void *old, size_t size)
{
    (void)old;
    (void)size;
    reent->_errno = ENOMEM;
    return NULL;
}

void _free_r(struct _reent *reent, void *allocated)
{
    (void)reent;
    (void)allocated;
}

/* Passed around by strtol and its like, which use nothing of it with this configuration; optimizing
 * compilers drop it. */
extern const char __global_locale[1];
const char __global_locale[1] = {0};

/* The "C" locale (ISO C, "The lconv structure"): a point, and no grouping of thousands. */
struct lconv *_localeconv_r(struct _reent *reent)
{
    static struct lconv c_locale = {
        .decimal_point = (char *)".",
        .thousands_sep = (char *)"",
        .grouping = (char *)"",
    };

    (void)reent;
    return &c_locale;
}
