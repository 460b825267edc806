"""newlib: the other C library of the image (libc=newlib). Data only; see picolibc/recipe.py."""

NAME = 'newlib'
VERSION = '3.3.0'

# The Debian package newlib-source installs this file; its package manager has checked it.
ARCHIVE = 'newlib-3.3.0.tar.xz'
POOL_PATH = None
SHA256 = None
PACKAGE_FILE = '/usr/src/newlib/' + ARCHIVE

UNPACK = ['newlib/libc/', 'newlib/libm/common/', 'COPYING.NEWLIB']

INCLUDE = ['.', 'newlib/libc/include']
PRIVATE_INCLUDE = ['newlib/libc/stdio', 'newlib/libc/stdlib', 'newlib/libc/string',
                   'newlib/libc/ctype', 'newlib/libc/locale', 'newlib/libm/common']

# The integer formatter into memory is the only one, and snprintf calls it by the name it then has.
DEFINES = ['_COMPILING_NEWLIB', '_LIBC', 'STRING_ONLY', 'INTEGER_ONLY',
           '_svfprintf_r=_svfiprintf_r']

SOURCES = {
    'newlib/libc/string': '''
        memchr memcmp memcpy memmove memset memrchr strchr strrchr strcmp strncmp strlen strnlen
        strcpy strncpy strlcpy strlcat strcat strncat strspn strcspn strpbrk strtok_r strcasecmp
        strncasecmp''',
    'newlib/libc/ctype': '''
        ctype_ isalnum isalpha isascii isblank iscntrl isdigit islower isprint ispunct
        isspace isupper isxdigit toascii tolower toupper''',
    'newlib/libc/search': 'bsearch qsort',
    'newlib/libc/stdlib': '''
        abs atoi atol atoll div labs ldiv llabs lldiv strtol strtoll strtoul strtoull''',
    'newlib/libc/stdio': 'snprintf vsnprintf vfprintf',
}
PATCHES = []
OWN_SOURCES = ['reent.c']
