#!/usr/bin/python3
"""The stack proof: computes how deep every library and every stack of an image can get, and fails
where that is more than config/stack.h gives them, or cannot be known. docs/stack.md explains it.

    stack.py --elf IMAGE --library NAME OBJECT ... --rules FILE ... --header config/stack.h
             --arrows 'NAME: USES' ... --result FILE.json [--page FILE.html] [--off]

Beside each OBJECT lies the compiler's .ci file. The result is what `./nacre stack` prints and what
the image holds for its own report.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import stackcode
import stackelf
import stackgraph
import stackreport
import stackrules
import stackworst
from stackreport import INTERRUPTED

# In the order of enum stack_library of config/stack.h.
LIBRARIES = ['libbase', 'libept', 'libvmx', 'libsmp', 'libtpm', 'libtv', 'libc', 'crypto', 'app',
             'platform']


def read_header(header, names):
    """({name: value}, what the header's own assertions object to)."""
    source = '#include "%s"\nconst unsigned long long numbers[] = {%s};\n' % (
        header, ','.join('(%s) + 1' % name for name in names))  # no 0, which gcc would not write
    faults = []
    for proof in (['-DSTACK_PROOF'], []):
        done = subprocess.run(['gcc', '-std=gnu11', '-S', '-x', 'c', '-I.', *proof, '-o', '-', '-'],
                              input=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode == 0:
            found = re.findall(r'\.quad\s+(\d+)', done.stdout)
            return {name: int(value) - 1 for name, value in zip(names, found)}, faults
        faults = re.findall(r'static assertion failed: "(.*)"', done.stderr)
    raise stackrules.Wrong('%s: %s' % (header, done.stderr.splitlines()[0]))


class Proof:
    def __init__(self, arguments):
        self.header = arguments.header
        self.rules = stackrules.read(arguments.rules)
        self.elf = stackelf.Elf(arguments.elf)
        self.code = stackcode.Image(arguments.elf, self.elf, self.rules)
        self.graph = stackgraph.Graph(self.elf, self.code, self.rules)
        for library, *objects in arguments.library:
            for path in objects:
                beside = os.path.splitext(path)[0] + '.ci'
                if os.path.exists(beside):
                    self.graph.add_unit(beside, library)
                elif not path.endswith('_S.o'):
                    raise stackrules.Wrong('%s is missing: the compiler writes it' % beside)
        self.graph.add_rules()
        self.graph.resolve()
        self.faults = self.graph.faults
        self._stacks(arguments)

    def _entries(self, rule):
        found = []
        for name in rule.lists[''][1:]:
            function = self.graph.find(name)
            if function is None:
                self.faults.append('%s: there is no function %s' % (rule.place, name))
            else:
                found.append(function)
        return found

    def _stacks(self, arguments):
        rules = self.graph.rules_of('stack')
        entries = {rule.name: self._entries(rule) for rule in rules}
        for rule in rules:
            for nested in rule.named('nests'):
                name = nested.split(':')[0]
                if self.graph.find(name) is None:
                    self.faults.append('%s: there is no function %s' % (rule.place, name))
                    return
                entries[rule.name + ' ' + nested] = [self.graph.find(name)]
        everything = list(dict.fromkeys(f for found in entries.values() for f in found))
        caller = stackworst.reach(everything)
        self.reached = set(caller)
        bounds = {}
        for rule in self.graph.rules_of('bounded'):
            bounds[self.graph.find(rule.name)] = rule.numbers()[0]
        self.worst = stackworst.Worst(everything, bounds)
        self._faults_of_functions(caller)
        self._faults_of_bounds(bounds)
        self.graph.check_code(self.reached)
        budgets = ['STACK_BUDGET_' + name.upper() for name in LIBRARIES]
        named = [rule.lists[''][0] for rule in rules]
        numbers, objections = read_header(self.header, [*budgets, *named, 'STACK_PATH_BYTES'])
        self.stacks = [self._stack(rule, entries, numbers) for rule in rules]
        self.libraries = [self._library(name, numbers['STACK_BUDGET_' + name.upper()], bounds)
                          for name in LIBRARIES]
        self._path(arguments.arrows, numbers)
        self.faults += ['%s: %s' % (self.header, text) for text in objections]

    def _faults_of_functions(self, caller):
        for function in self.reached:
            how = 'reached by ' + stackworst.path_to(function, caller)
            for problem in function.kind.split()[1:]:
                what, _, text = problem.partition(':')
                self.faults.append(
                    '%s calls through a pointer at %s, and no rule says whom (%s)'
                    % (function, text, how) if what == 'undeclared' else
                    '%s calls %s, of which nothing is known (%s)' % (function, text, how))
            if function.kind.split()[0] == 'dynamic':
                self.faults.append('%s at %s: its frame has no bound: a VLA or alloca (%s)'
                                   % (function, function.place, how))
            if not any(symbol.address in self.elf.owners or function.kind == 'assembly'
                       for symbol in self.elf.by_name.get(function.name, ())):
                self.faults.append('%s is not in the image, but %s' % (function, how))
        for members in self.worst.unbounded:
            shown = ' -> '.join(member.name for member in members + members[:1])
            self.faults.append('recursion without a declared bound: %s (reached by %s)' % (
                shown, stackworst.path_to(members[0], caller)))

    def _faults_of_bounds(self, bounds):
        whole = stackworst.Worst(list(self.graph.functions.values()), bounds)
        for rule in self.graph.rules_of('bounded'):
            function = self.graph.find(rule.name)
            if function is None:
                self.faults.append('%s: there is no function %s' % (rule.place, rule.name))
            elif not whole.is_cycle(whole.component[function]):
                self.faults.append('%s: %s is on no cycle' % (rule.place, rule.name))

    def _stack(self, rule, entries, numbers):
        """One line of the report, and a fault if it is too deep."""
        deepest = max(entries[rule.name], key=self.worst.depth.get)
        chain = self.worst.chain(deepest)
        for nested in rule.named('nests'):
            name, times = nested.split(':')
            again = self.worst.chain(self.graph.find(name))
            for _ in range(int(times)):
                chain += [(INTERRUPTED, 0, 'platform'), *again]
        computed, size = sum(step[1] for step in chain), numbers[rule.lists[''][0]]
        if computed > size:
            self.faults.append('the %s stack has %d bytes (%s), its worst case is %d:\n%s' % (
                rule.name, size, rule.lists[''][0], computed, stackreport.chain_text(chain)))
        return {'stack': rule.name, 'size_bytes': size, 'computed_bytes': computed,
                'chain': chain}

    def _library(self, name, budget, bounds):
        members = sorted((f for f in self.reached if f.library == name), key=lambda f: f.name)
        worst = stackworst.Worst(members, bounds, inside=name)
        deepest = max(members, key=worst.depth.get, default=None)
        chain = worst.chain(deepest) if members else []
        used = sum(step[1] for step in chain)
        if used > budget:
            self.faults.append('%s needs %d bytes, its budget is %d (STACK_BUDGET_%s):\n%s' % (
                name, used, budget, name.upper(), stackreport.chain_text(chain)))
        return {'library': name, 'budget_bytes': budget, 'worst_bytes': used, 'chain': chain,
                'whole_bytes': max((self.worst.depth[f] for f in members), default=0)}

    def _path(self, arrows, numbers):
        """The longest path through the arrows must be what the header's assertions add up."""
        uses = {name: words.split() for name, _, words in (arrow.partition(':')
                                                           for arrow in arrows)}
        budget = {name: numbers['STACK_BUDGET_' + name.upper()] for name in LIBRARIES}

        def longest(name, above=()):
            below = [longest(use, (*above, name)) for use in uses.get(name, ()) if use not in above]
            return budget.get(name, 0) + max(below, default=0)
        budget['sink'] = budget['platform']  # base_check_failed and base_log_sink: libbase asks
        path = longest('app') + budget['libc']
        if uses and path > numbers['STACK_PATH_BYTES']:
            self.faults.append('%s: the longest path through the arrows of LIBS needs %d bytes, '
                               'STACK_PATH_BYTES adds up %d' % (self.header, path,
                                                                numbers['STACK_PATH_BYTES']))

    def result(self):
        library_of = {}
        for address, functions in self.graph.by_address.items():
            if functions:
                library_of['%x' % address] = LIBRARIES.index(functions[0].library)
        return {'stacks': [stack['computed_bytes'] for stack in self.stacks],
                'library_of': library_of, 'other': LIBRARIES.index('platform'),
                'stack_lines': self.stacks, 'library_lines': self.libraries,
                'functions': [[f.name, f.library, f.frame, self.worst.depth[f]] for f in sorted(
                    self.reached, key=lambda f: (-self.worst.depth[f], f.name))]}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--elf', required=True)
    parser.add_argument('--library', nargs='+', action='append', default=[])
    parser.add_argument('--rules', nargs='*', default=[])
    parser.add_argument('--header', required=True)
    parser.add_argument('--arrows', nargs='*', default=[])
    parser.add_argument('--result')
    parser.add_argument('--page')
    parser.add_argument('--title', default='')
    parser.add_argument('--off', action='store_true', help='say what is wrong, and go on')
    return parser.parse_args()


def main():
    arguments = options()
    try:
        proof = Proof(arguments)
    except stackrules.Wrong as fault:
        sys.exit('stack: %s' % fault)
    for fault in sorted(proof.faults):
        print('stack: %s' % fault, file=sys.stderr)
    if arguments.off:
        print('stack: WARNING: proof=off: THE STACKS OF THIS IMAGE ARE NOT PROVEN', file=sys.stderr)
    elif proof.faults:
        sys.exit(1)
    if arguments.result:
        with open(arguments.result, 'w', encoding='ascii') as file:
            json.dump(proof.result(), file, indent=1)
    if arguments.page:
        with open(arguments.page, 'w', encoding='utf-8') as file:
            file.write(stackreport.page(arguments.title, proof.result()))


if __name__ == '__main__':
    main()
