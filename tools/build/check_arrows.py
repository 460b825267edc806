#!/usr/bin/python3
"""Checks one library against its line in the LIBS table of SConstruct.

Its undefined symbols may be defined by an archive that it declared, begin with the prefix of an
interface that it declared, or be on one of the two lists below. An #include may not climb out of
its folder, because the compiler's include folders could not refuse that.
"""

import argparse
import re
import subprocess
import sys

# The C library that every part of the image may use; it has no heap, no files and no locale.
C_LIBRARY = set('''
    memchr memcmp memcpy memmove memset memrchr strchr strrchr strcmp strncmp strlen strnlen strcpy
    strncpy strlcpy strlcat strcat strncat strspn strcspn strpbrk strtok_r strcasecmp strncasecmp
    isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper
    isxdigit toascii tolower toupper _ctype_ _ctype_b _ctype_wide bsearch qsort
    atoi atol atoll abs labs llabs div ldiv lldiv strtol strtoul strtoll strtoull
    snprintf vsnprintf __errno base_errno_location
'''.split())

# What the compiler itself may call (libgcc), and what libbase asks of every platform.
COMPILER = set('__udivti3 __umodti3 __divti3 __modti3 __popcountdi2 __bswapdi2'.split())
PLATFORM = set('base_check_failed base_log_sink'.split())

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>)', re.MULTILINE)


def symbols(archives, option):
    """{symbol: object file} of the defined or undefined symbols."""
    listing = subprocess.run(['nm', '-A', '-P', '-g', option, *archives], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=True).stdout
    found = {}
    for line in listing.splitlines():
        place, name = line.split()[:2]
        found[name] = re.sub(r'.*[\[/](.*?)\]?:', r'\1', place)
    return found


def symbol_faults(arguments):
    own = symbols(arguments.archive, '--defined-only')
    allowed = C_LIBRARY | COMPILER | PLATFORM | set(own)
    for archive in arguments.uses:
        allowed |= set(symbols([archive], '--defined-only'))
    owner = {}
    for archive in arguments.others:
        owner.update(dict.fromkeys(symbols([archive], '--defined-only'), archive))
    for name, place in sorted(symbols(arguments.archive, '--undefined-only').items()):
        if name in allowed or name.startswith(tuple(arguments.prefixes)):
            continue
        if name in owner:
            yield '%s uses %s, which %s defines' % (place, name, owner[name])
        elif not arguments.any:
            yield '%s uses %s, which nothing that it declares provides' % (place, name)


def include_faults(sources):
    for path in sources:
        with open(path, encoding='utf-8') as file:
            text = file.read()
        for quoted, bracketed in INCLUDE.findall(text):
            if '..' in (quoted + bracketed).split('/') or '/' in quoted:
                yield '%s includes "%s" by a path: it may see only its own folder and the ' \
                      'declared interfaces' % (path, quoted or bracketed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--name', required=True)
    parser.add_argument('--archive', nargs='+', required=True, help='or objects')
    parser.add_argument('--uses', nargs='*', default=[])
    parser.add_argument('--others', nargs='*', default=[])
    parser.add_argument('--prefixes', nargs='*', default=[])
    parser.add_argument('--sources', nargs='*', default=[])
    parser.add_argument('--any', action='store_true', help='refuse only what others define')
    parser.add_argument('--stamp', required=True)
    arguments = parser.parse_args()
    faults = [*include_faults(arguments.sources), *symbol_faults(arguments)]
    for fault in faults:
        print('%s: %s (see LIBS in SConstruct)' % (arguments.name, fault), file=sys.stderr)
    if faults:
        sys.exit(1)
    with open(arguments.stamp, 'w', encoding='ascii'):
        pass


if __name__ == '__main__':
    main()
