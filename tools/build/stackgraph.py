"""The call graph of one image: the compiler's .ci files, the declared rules and the ELF, held
against each other. Whatever they do not agree on is a fault.
"""

import os
import re

import stackcode

TITLE = r'"((?:[^"\\]|\\.)*)"'
NODE = re.compile(r'node: \{ title: %s label: %s( shape : ellipse)? \}' % (TITLE, TITLE))
EDGE = re.compile(r'edge: \{ sourcename: %s targetname: %s(?: label: %s)? \}'
                  % (TITLE, TITLE, TITLE))
BYTES = re.compile(r'(\d+) bytes \(([a-z,]+)\)')
INDIRECT = '__indirect_call'
CALL_BYTES = 8  # the return address; the compiler counts it in each frame


class Function:
    """A node: where it is from, its frame in bytes, and whom it calls."""

    def __init__(self, name, unit, library, frame, kind, place):
        self.name, self.unit, self.library = name, unit, library
        self.frame, self.kind, self.place = frame, kind, place
        self.edges = set()     # keys, before they are resolved
        self.indirect = set()  # FILE:LINE of calls through pointers
        self.calls = []        # Functions

    def __repr__(self):
        return self.name


class Graph:
    def __init__(self, elf, code, rules):
        self.elf, self.code, self.rules = elf, code, rules
        self.faults = []
        self.functions = {}   # key: Function
        self.by_address = {}
        self.assembly = {}    # name: Rule

    def rules_of(self, kind):
        return [rule for rule in self.rules if rule.kind == kind]

    def fault(self, text, *values):
        self.faults.append(text % values)

    # What the compiler wrote --------------------------------------------------------------------

    def add_unit(self, path, library):
        """Reads one .ci file. A static function's key is unit and title, another's its name."""
        def key(title):
            return (path, title) if ':' in title else title

        with open(path, encoding='utf-8', errors='replace') as file:
            text = file.read()
        for title, label, is_external in NODE.findall(text):
            if is_external or title == INDIRECT:
                continue
            parts = label.split('\\n')
            size, kind = BYTES.search(parts[-1]).groups()
            function = Function(title.split(':')[-1], path, library, int(size), kind, parts[1])
            known = self.functions.setdefault(key(title), function)
            if known is not function:  # of two archives: the linker chose one, the worse counts
                known.frame = max(known.frame, function.frame)
        for source, target, label in EDGE.findall(text):
            function = self.functions.get(key(source))
            if function is None:
                continue
            if target == INDIRECT:
                function.indirect.add(label)
            else:
                function.edges.add(key(target))

    # What the rules add -------------------------------------------------------------------------

    def add_rules(self):
        for rule in self.rules_of('assembly') + self.rules_of('assembly32'):
            entry, own = rule.numbers()
            if rule.name not in self.elf.by_name:
                self.fault('%s: there is no assembly function %s', rule.place, rule.name)
                continue
            function = Function(rule.name, rule.place, 'platform', entry + own, 'assembly',
                                rule.place)
            function.edges = set(rule.named('calls'))
            self.functions[rule.name] = function
            self.assembly[rule.name] = rule
        for rule in self.rules_of('landing') + self.rules_of('data') + self.rules_of('taken'):
            in_archive = rule.kind == 'taken' and self.find(rule.name)  # not everything is linked
            if rule.name not in self.elf.by_name and not in_archive:
                self.fault('%s: there is no %s', rule.place, rule.name)
        self._indirect()
        for rule in self.rules_of('extra'):
            function = self.find(rule.name)
            if function is None:
                self.fault('%s: there is no function %s', rule.place, rule.name)
            else:
                function.frame += rule.numbers()[0]

    def _indirect(self):
        by_file = {}
        for rule in self.rules_of('indirect'):
            by_file[rule.name] = rule
        for function in self.functions.values():
            for place in function.indirect:
                path = place.split(':')[0]
                rule = next((by_file[name] for name in by_file
                             if path == name or path.endswith('/' + name)), None)
                if rule is None:
                    function.kind += ' undeclared:' + place
                else:
                    rule.is_used = True
                    function.edges.update(rule.named('calls'))
        for rule in self.rules_of('indirect'):
            if not rule.is_used:
                self.fault('%s: no call through a pointer in %s uses this', rule.place, rule.name)
            for name in rule.named('calls'):
                if self.find(name) is None:
                    self.fault('%s: there is no function %s', rule.place, name)

    def find(self, name):
        """The function of that name: public, or the only static one, or an alias of another."""
        if name in self.functions:
            return self.functions[name]
        local = [function for function in self.functions.values() if function.name == name]
        if len(local) == 1:
            return local[0]
        for symbol in self.elf.by_name.get(name, ()):
            for alias in self.elf.names_at.get(symbol.address, ()):
                if alias.name in self.functions:
                    return self.functions[alias.name]
        return None

    # What the ELF says --------------------------------------------------------------------------

    def resolve(self):
        for function in self.functions.values():
            for key in sorted(function.edges, key=str):
                target = self.functions.get(key)
                if target is None and isinstance(key, str):
                    target = self.find(key)
                elif target is None:
                    target = self.functions.get(key[1])
                if target is None:
                    function.kind += ' unknown:' + (key if isinstance(key, str) else key[1])
                elif target not in function.calls:
                    function.calls.append(target)
        for address, (symbol, _) in self.elf.owners.items():
            if not stackcode.is_part(symbol.name):
                self.by_address[address] = self._functions_at(address)

    def _functions_at(self, address):
        """The graph's functions whose code is there: more than one where two files have static
        functions, and themselves, of the same name."""
        found = []
        for symbol in self.elf.names_at[address]:
            if symbol.is_global or symbol.name in self.assembly:
                found += [self.functions[symbol.name]] if symbol.name in self.functions else []
            else:
                stem = os.path.splitext(os.path.basename(symbol.file))[0] + '.ci'
                found += [function for key, function in self.functions.items()
                          if isinstance(key, tuple) and function.name == symbol.name
                          and os.path.basename(function.unit) == stem]
        return found

    def check_code(self, reached):
        """Holds every function of the image against its machine code."""
        data = {rule.name for rule in self.rules_of('data')}
        pointed = {name for rule in self.rules_of('indirect') for name in rule.named('calls')}
        pointed |= {rule.name for rule in self.rules_of('taken')}
        for address, functions in sorted(self.by_address.items()):
            name = self.elf.owners[address][0].name
            if not functions and data.intersection(s.name for s in self.elf.names_at[address]):
                continue
            if not functions:
                self.fault('%s is in the image, but neither in a call graph nor in a rule', name)
                continue
            code = self.code.functions.get(address)
            if code is None:
                continue
            self._check_frame(name, functions, code)
            self._check_calls(name, functions, code)
            # A table of functions is linked whole; what only uncalled code would call is dead.
            is_dead = pointed.intersection(symbol.name for symbol in self.elf.names_at[address])
            if not reached.intersection(functions) and not is_dead:
                self.fault('%s is in the image, but no path of the graph leads to it', name)
        self._check_taken()

    def _check_frame(self, name, functions, code):
        rule = self.assembly.get(name)
        frame = max(function.frame for function in functions)
        depth = code.depth + (CALL_BYTES if rule is None else rule.numbers()[0])
        if code.unbounded and rule is None and not any('dynamic' in f.kind for f in functions):
            self.fault('%s: its code moves the stack pointer by an unknown amount', name)
        elif depth > frame or (rule is not None and depth != frame):
            self.fault('%s: frame of %d bytes in the %s, %d in its code', name, frame,
                       'rule' if rule else 'call graph', depth)

    def _check_calls(self, name, functions, code):
        known = {target for function in functions for target in function.calls}
        if name in self.assembly:
            known |= {self.find(other) for other in self.assembly[name].named('switches')}
        for target in sorted(code.calls):
            owner = self.elf.owner(target)
            called = self.by_address.get(owner.address, []) if owner else []
            if owner is None:
                self.fault('%s calls 0x%x, where no function is', name, target)
            elif called and not known.intersection(called) and not set(called) & set(functions):
                self.fault('%s calls %s, which its call graph does not know', name, owner.name)
        declared = any(f.indirect for f in functions) or (
            name in self.assembly and len(self.assembly[name].lists) > 1)
        if code.indirect and not declared:
            self.fault('%s calls through a pointer, which its call graph does not know', name)

    def _check_taken(self):
        """A function whose address is used can be called through a pointer: then some list must
        name it."""
        named = {name for rule in self.rules
                 for name in [*rule.named('calls'), *rule.named('switches')]}
        named |= {rule.name for rule in self.rules_of('taken') + self.rules_of('data')}
        named |= {name for rule in self.rules_of('stack') for name in rule.lists['']}
        for address in sorted(self.code.taken & set(self.by_address)):
            names = [symbol.name for symbol in self.elf.names_at[address]]
            if not named.intersection(names):
                self.fault("%s's address is used, but no rule says who calls it", names[0])
