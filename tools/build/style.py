"""The rules of style that no other tool knows, for one file: see `findings`."""

import os
import re

MARKS = re.compile(r'\b(?:TODO|FIXME|XXX|HACK)\b|not implemented')
ASSEMBLY = re.compile(r'\b(?:__asm__|asm)\b *(?:volatile|__volatile__)? *\(')
CONDITION = re.compile(r'^ *# *(?:if|ifdef|elif)\b|^ *# *ifndef (?!\w+_H$)')
LONGEST_LINE = 100
LONGEST_FILE = 400


def findings(path):
    """Yields 'path:line: what'."""
    with open(path, encoding='utf-8') as file:
        lines = file.read().split('\n')
    is_c = path.endswith(('.c', '.h'))
    top = path.split(os.sep)[0]
    if lines[-1] != '':
        yield '%s:%d: no end of line at the end' % (path, len(lines))
    if is_c and len(lines) > LONGEST_FILE + 1:
        yield '%s:%d: longer than %d lines' % (path, len(lines), LONGEST_FILE)
    for number, line in enumerate(lines, 1):
        place = '%s:%d: ' % (path, number)
        if '\t' in line:
            yield place + 'tab'
        if line != line.rstrip():
            yield place + 'spaces at the end of the line'
        if len(line) > LONGEST_LINE:
            yield place + 'longer than %d columns' % LONGEST_LINE
        if MARKS.search(line) and os.path.basename(path) != 'style.py':
            yield place + 'mark of unfinished work'
        if is_c and ASSEMBLY.search(line) and (
                top.startswith('lib') or top == 'apps' or path.startswith(
                    ('platform/fake', 'platform/include'))):
            yield place + 'assembly outside platform/x86_64'
        if is_c and top.startswith('lib') and CONDITION.search(line):
            yield place + 'conditional compilation in a library (variations belong to link time)'
