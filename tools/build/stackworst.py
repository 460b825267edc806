"""Worst cases over a call graph: cycles first (strongly connected components), then depths."""

import sys


class Worst:
    """For each function its deepest path; `inside` keeps to one library."""

    def __init__(self, functions, bounds, inside=None):
        self.inside = inside
        self.bounds = bounds  # {Function: times}
        self.component = {}   # Function: [members]
        self.depth = {}       # Function: bytes
        self.start = {}       # Function: entries of bounded functions that its cycle allows
        self.unbounded = []   # cycles without a bound
        sys.setrecursionlimit(100000)
        self._index, self._stack, self._states = {}, [], {}
        for function in functions:
            if function not in self._index:
                self._visit(function)

    def callees(self, function):
        return [callee for callee in function.calls
                if self.inside is None or callee.library == self.inside]

    def _visit(self, function):
        """Tarjan's algorithm; a component is complete after everything that it calls."""
        low = self._index[function] = len(self._index)
        self._stack.append(function)
        for callee in self.callees(function):
            if callee not in self._index:
                low = min(low, self._visit(callee))
            elif callee not in self.component:
                low = min(low, self._index[callee])
        if low == self._index[function]:
            at = self._stack.index(function)
            members, self._stack[at:] = self._stack[at:], []
            for member in members:
                self.component[member] = members
            self._measure(members)
        return low

    def is_cycle(self, members):
        return len(members) > 1 or members[0] in self.callees(members[0])

    def _has_cycle(self, members):
        """Whether anything is left after removing, again and again, who calls no other member."""
        left = set(members)
        while True:
            leaves = {member for member in left if not left.intersection(self.callees(member))}
            if not leaves:
                return bool(left)
            left -= leaves

    def _measure(self, members):
        """Fills depth for the members. A cycle is followed until the functions of it that have a
        bound were entered as often as the bounds allow: every other way round must be closed."""
        bounded = [member for member in members if member in self.bounds]
        rest = [member for member in members if member not in self.bounds]
        left = 0
        if self.is_cycle(members):
            if not bounded or self._has_cycle(rest):
                self.unbounded.append(members)
                bounded = members
            else:
                left = sum(self.bounds[member] for member in bounded)
        for member in members:
            self.start[member] = left
        for member in members:
            self.depth[member] = self._deep(member, left, members, bounded)

    def _deep(self, function, left, members, bounded):
        """Bytes from a member on, with so many entries of bounded functions left."""
        if function in bounded and left > 0:
            left -= 1
        state = (function, left)
        if state not in self._states:
            best, after = 0, None
            for callee in self.callees(function):
                if self.component.get(callee) is not members:
                    depth, following = self.depth[callee], (callee, self.start[callee])
                elif not self.is_cycle(members) or (callee in bounded and left == 0):
                    continue
                else:
                    depth = self._deep(callee, left, members, bounded)
                    following = (callee, left)
                if after is None or depth > best:
                    best, after = depth, following
            self._states[state] = (function.frame + best, after)
        return self._states[state][0]

    def chain(self, function):
        """[(name, bytes, library)] of the deepest path."""
        found, left = [], self.start[function]
        while True:
            found.append((function.name, function.frame, function.library))
            if function in self.bounds and left > 0:
                left -= 1
            after = self._states[function, left][1]
            if after is None:
                return found
            function, left = after


def reach(entries):
    """Everything that can be called from the entries, and for each who called it first."""
    caller = {entry: None for entry in entries}
    work = list(entries)
    while work:
        function = work.pop()
        for callee in function.calls:
            if callee not in caller:
                caller[callee] = function
                work.append(callee)
    return caller


def path_to(function, caller):
    names = []
    while function is not None:
        names.append(function.name)
        function = caller[function]
    return ' -> '.join(reversed(names))
