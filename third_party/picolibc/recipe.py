"""picolibc: the C library of the image by default. Data only; site_scons/thirdparty.py does the
work.

Its own build system cannot be used with the image's flags (it always compiles floating point), so
the wanted files are listed here and compiled one by one with exactly the flags of the image.
"""

NAME = 'picolibc'
VERSION = '1.8.10'

# The upstream tarball as a Debian mirror carries it: a path below the mirror's own address.
ARCHIVE = 'picolibc_1.8.10.orig.tar.gz'
POOL_PATH = 'pool/main/p/picolibc/' + ARCHIVE
SHA256 = 'd1fc2a20f217472f8d9da084a519a25678e8d91852a41c7f3f1840d3508f7163'
PACKAGE_FILE = None
INSTEAD = ', or build with libc=newlib'  # what else to do where it cannot be had

# What is unpacked, below the archive's own top folder.
UNPACK = ['newlib/libc/', 'newlib/libm/common/', 'COPYING.picolibc', 'COPYING.NEWLIB']

# Include folders for everybody who uses the library, in this order, below the unpacked folder;
# that itself comes first: it has picolibc.h.
INCLUDE = ['.', 'newlib/libc/tinystdio', 'newlib/libc/include']

# Include folders and definitions that only the library's own files see.
PRIVATE_INCLUDE = ['newlib/libc/stdlib', 'newlib/libc/string', 'newlib/libc/ctype',
                   'newlib/libc/locale', 'newlib/libc/machine/x86', 'newlib/libm/common']
DEFINES = ['_COMPILING_NEWLIB', '_LIBC']

SOURCES = {
    'newlib/libc/string': '''
        memchr memcmp memcpy memmove memset memrchr strchr strrchr strcmp strncmp strlen strnlen
        strcpy strncpy strlcpy strlcat strcat strncat strspn strcspn strpbrk strtok_r strcasecmp
        strncasecmp''',
    'newlib/libc/ctype': '''
        ctype_ isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct
        isspace isupper isxdigit toascii tolower toupper''',
    'newlib/libc/search': 'bsearch qsort',
    'newlib/libc/stdlib': 'abs atoi atol atoll div labs ldiv llabs lldiv',
    'newlib/libc/tinystdio': '''
        filestrput fputc snprintf strtol strtoll strtoul strtoull vfiprintf vsnprintf''',
}

# Even when it only skips a floating-point argument, printf fetches a double, which cannot be
# compiled without SSE. No caller in the image can pass one (the compiler refuses it), so a long of
# the same size is skipped instead. (file, text, replacement, number of places)
PATCHES = [
    ('newlib/libc/tinystdio/vfprintf.c',
     '#define SKIP_FLOAT_ARG(flags, ap) (void) va_arg(ap, double)',
     '#define SKIP_FLOAT_ARG(flags, ap) (void) va_arg(ap, long)', 1),
]

# Files of our own that are compiled into the library.
OWN_SOURCES = []
