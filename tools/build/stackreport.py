"""What the stack proof shows to people: chains, the table, and the page with the picture."""

import html

INTERRUPTED = '-- an interrupt here --'
COLOURS = {'libbase': '#7a869a', 'libept': '#2f7ed8', 'libvmx': '#8e5bd0', 'libsmp': '#1f9e89',
           'libtpm': '#5f8f4e', 'libtv': '#d1495b', 'libc': '#9a8c3c', 'crypto': '#b85c9e',
           'app': '#e07b39', 'platform': '#4d6a8f'}

STYLE = '''
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1180px; color: #223 }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
p.note { color: #556; max-width: 50em }
.bar { display: grid; grid-template-columns: 7em 1fr 23em; gap: 1em; align-items: center;
       margin: 3px 0 }
.bar b { text-align: right; font-weight: 600 }
.room { background: #e8ebf0; height: 20px; border-radius: 3px; overflow: hidden }
.used { height: 100% }
.flame { position: relative; border: 1px solid #dde1e8; margin: .6em 0 0; background:
         repeating-linear-gradient(90deg, #fff 0, #fff calc(12.5% - 1px), #eef0f4 12.5%) }
.row { position: relative; height: 17px; font-size: 11px; white-space: nowrap }
.row i { position: absolute; top: 1px; bottom: 1px; border-radius: 2px; min-width: 1px }
.row u { position: absolute; top: 1px; bottom: 1px; right: 0; opacity: .18; border-radius: 2px }
.row span { position: absolute; line-height: 17px; color: #334 }
.axis { display: flex; justify-content: space-between; font-size: 11px; color: #667 }
.key span { display: inline-block; margin-right: 1.2em }
.key i { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px }
table { border-collapse: collapse; font-size: 12px } td, th { padding: 1px 12px 1px 0;
        text-align: left } td.n { text-align: right; font-variant-numeric: tabular-nums }
summary { cursor: pointer; font-weight: 600 }
'''


def chain_text(chain):
    """One function a line, with the bytes of its frame and the sum so far."""
    lines, total = ['     frame   depth  function'], 0
    for name, frame, library in chain:
        total += frame
        lines.append('    %6d  %6d  %s (%s)' % (frame, total, name, library))
    return '\n'.join(lines)


def short_chain(chain, width):
    """The chain in one line of the table, cut where it is too long."""
    text = ' > '.join('%s %d' % (name, frame) for name, frame, _ in chain)
    return text if len(text) <= width else text[:width - 4] + ' ...'


def table(result, width):
    lines = ['library     budget   worst  head-room  deepest chain (bytes of each frame)']
    for row in result['library_lines']:
        lines.append('%-10s %7d %7d %10d  %s' % (
            row['library'], row['budget_bytes'], row['worst_bytes'],
            row['budget_bytes'] - row['worst_bytes'], short_chain(row['chain'], width - 39)))
    lines += ['', 'stack         size computed  head-room  measured  deepest chain']
    for row in result['stack_lines']:
        measured = row.get('measured_bytes')
        lines.append('%-10s %7d %8d %10d %9s  %s' % (
            row['stack'], row['size_bytes'], row['computed_bytes'],
            row['size_bytes'] - row['computed_bytes'], '-' if measured is None else measured,
            short_chain(row['chain'], width - 51)))
    return '\n'.join(lines)


def _bar(name, used, limit, colour, whole):
    return ('<div class="bar"><b>%s</b><div class="room"><div class="used" style="width:%.2f%%;'
            'background:%s"></div></div><span>%d of %d bytes, %d left%s</span></div>'
            % (html.escape(name), 100 * used / limit if limit else 0, colour, used, limit,
               limit - used, whole))


def _row(name, frame, start, whole, colour):
    """A frame, and in a lighter colour everything below it."""
    left, width = 100 * start / whole, 100 * frame / whole
    text = '%s %s' % (html.escape(name), frame if frame else '')
    if left < 62:
        place = 'left:calc(%.3f%% + 6px)' % (left + width)
    else:
        place = 'right:calc(%.3f%% + 6px)' % (100 - left)
    return ('<div class="row" title="%s: %d bytes, %d deep"><u style="left:%.3f%%;'
            'background:%s"></u><i style="left:%.3f%%;width:%.3f%%;background:%s"></i>'
            '<span style="%s">%s</span></div>'
            % (html.escape(name), frame, start + frame, left, colour, left, max(width, .05),
               colour, place, text))


def _flame(row):
    whole = row['computed_bytes']
    rows, depth = [], 0
    for name, frame, library in row['chain']:
        colour = '#c00' if name == INTERRUPTED else COLOURS[library]
        rows.append(_row(name, frame, depth, whole, colour))
        depth += frame
    ticks = ''.join('<span>%d</span>' % (whole * eighth // 8) for eighth in range(9))
    return ('<h2>%s stack: %d of %d bytes</h2><div class="axis">%s</div><div class="flame">%s</div>'
            % (html.escape(row['stack']), whole, row['size_bytes'], ticks, ''.join(rows)))


def page(title, result):
    """A page that needs nothing else: bars, the deepest chain of each stack, all functions."""
    bars = ''.join(_bar(row['library'], row['worst_bytes'], row['budget_bytes'],
                        COLOURS[row['library']], ' (%d with callees)' % row['whole_bytes']
                        if row['whole_bytes'] else '')
                   for row in result['library_lines'])
    stacks = ''.join(_bar(row['stack'], row['computed_bytes'], row['size_bytes'], '#445', '')
                     for row in result['stack_lines'])
    key = ''.join('<span><i style="background:%s"></i>%s</span>' % (colour, name)
                  for name, colour in COLOURS.items())
    functions = ''.join('<tr><td>%s</td><td>%s</td><td class="n">%d</td><td class="n">%d</td></tr>'
                        % (html.escape(name), library, frame, worst)
                        for name, library, frame, worst in result['functions'])
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Stacks of %s</title>'
        '<style>%s</style><h1>Stacks of %s</h1><h2>Libraries: own frames against budget</h2>%s'
        '<h2>Stacks: worst case against size</h2>%s<p class="note">Below, the deepest chain of '
        'each stack: one function a line, from its caller down; a dark bar is its frame, at the '
        'depth where it lies, and the light bar is everything that it calls. A red mark is the '
        'place where an exception or an NMI comes at the worst moment.</p><p class="key">%s</p>%s'
        '<h2>All functions</h2><details><summary>%d functions, deepest first</summary><table>'
        '<tr><th>function<th>library<th>frame<th>worst case</tr>%s</table></details></html>\n'
        % (html.escape(title), STYLE, html.escape(title), bars, stacks, key,
           ''.join(map(_flame, result['stack_lines'])), len(result['functions']), functions))
