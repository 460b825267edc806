"""The declared facts that neither compiler nor linker knows: files called stack.rules.

    assembly NAME ENTRY OWN [calls NAME ...] [switches NAME ...] -- REASON
        a function written in assembly: ENTRY bytes are on the stack when its first instruction
        runs, it pushes OWN more; `switches` names what it starts on another stack
    assembly32 NAME ENTRY OWN [calls NAME ...] -- REASON
        the same for code that is not 64-bit: it is believed, not read
    landing NAME DEPTH -- REASON
        a label inside an assembly function that is reached from outside, and how deep that is
    data NAME -- REASON
        what lies among the code and is none
    indirect FILE calls NAME ... -- REASON
        who can be called through the pointers that FILE calls through
    bounded NAME TIMES -- REASON
        a cycle through NAME is entered this often at most
    extra NAME BYTES -- REASON
        asm statements in the C function NAME push this much, which the compiler does not know
    taken NAME -- REASON
        the function's address is used, but not called through a pointer
    stack NAME MACRO ENTRY ... [nests NAME:TIMES ...] -- REASON
        a stack, its size's name in config/stack.h, what runs on it, and what interrupts that
"""


class Wrong(Exception):
    """A rule, or what it speaks of, is not as it should be."""


class Rule:
    def __init__(self, place, words, reason):
        self.place, self.words, self.reason = place, words, reason
        self.kind, self.name = words[0], words[1]
        self.is_used = False
        self.lists, current = {'': []}, ''
        for word in words[2:]:
            if word in ('calls', 'switches', 'nests'):
                current = word
                self.lists.setdefault(current, [])
            else:
                self.lists[current].append(word)

    def numbers(self):
        return [int(word) for word in self.lists['']]

    def named(self, kind):
        return self.lists.get(kind, [])


SHAPES = {  # kind: numbers or words before the first list, lists
    'assembly': (2, {'calls', 'switches'}),
    'assembly32': (2, {'calls'}),
    'landing': (1, set()),
    'data': (0, set()),
    'indirect': (0, {'calls'}),
    'bounded': (1, set()),
    'extra': (1, set()),
    'taken': (0, set()),
    'stack': (None, {'nests'}),
}


def read(paths):
    rules = []
    for path in paths:
        with open(path, encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                text, _, reason = line.partition(' -- ')
                words = [] if line.startswith('#') else text.split()
                if words:
                    rules.append(_checked('%s:%d' % (path, number), words, reason.strip()))
    return rules


def _checked(place, words, reason):
    if words[0] not in SHAPES or len(words) < 2:
        raise Wrong('%s: unknown rule %s' % (place, words[0]))
    if not reason:
        raise Wrong('%s: a rule needs a reason behind " -- "' % place)
    rule = Rule(place, words, reason)
    count, lists = SHAPES[rule.kind]
    fits = set(rule.lists) - {''} <= lists
    if count is None:
        fits = fits and len(rule.lists['']) >= 2
    else:
        fits = fits and len(rule.lists['']) == count and all(
            word.isdigit() for word in rule.lists[''])
    if rule.kind == 'indirect':
        fits = fits and bool(rule.named('calls'))
    if not fits:
        raise Wrong('%s: malformed rule: %s' % (place, ' '.join(words)))
    return rule
