"""What the machine code itself says: how deep each function pushes, whom it calls, whose address it
takes. The proof takes frames and calls from the compiler's call graph and holds them against this,
because the compiler does not see inside asm statements, and a graph can be incomplete.
"""

import re
import subprocess

LINE = re.compile(r' *([0-9a-f]+):\t(\S+) *([^#<]*)')
NUMBER = r'(-?)(?:0x)?([0-9a-f]+)'
MOVED = re.compile(r'\$' + NUMBER + r',%rsp$')
LEA = re.compile(r'(-?)(?:0x)?([0-9a-f]*)\(%r(sp|bp)\),%rsp$')
TABLE = re.compile(r'\*' + NUMBER + r'\(,%\w+,8\)$')
LOADED = re.compile(r'\$0x([0-9a-f]{8,16})\b')
RELATIVE = re.compile(r'# ([0-9a-f]+)')
PREFIXES = ('lock', 'rep', 'repz', 'repnz', 'notrack', 'bnd', 'data16', 'cs')
ENDS = ('ret', 'iret', 'iretq', 'ud2', 'retq')
DEEPEST = 1 << 20


class Code:
    """One function. depth: bytes at the deepest instruction; calls: addresses."""

    def __init__(self, start):
        self.start = start
        self.depth = 0
        self.calls, self.indirect, self.unbounded, self.returns = set(), 0, False, False


def _signed(sign, digits):
    value = int(digits or '0', 16)
    if value >= 1 << 63:
        value -= 1 << 64
    return -value if sign else value


def _decode(mnemonic, operands):
    """(kind, value): what an instruction does to the stack pointer or the flow."""
    if mnemonic.startswith('push'):
        return 'move', 8
    if mnemonic.startswith('pop') and not mnemonic.startswith('popcnt'):
        return ('pop_rbp', 0) if operands == '%rbp' else ('move', -8)
    if mnemonic in ('call', 'callq', 'jmp', 'jmpq'):
        kind = mnemonic[:4].rstrip('q')
        if operands.startswith('*'):
            return kind + '*', operands
        return kind, int(operands.split()[0], 16)
    if mnemonic[0] == 'j' or mnemonic.startswith('loop'):
        return 'branch', int(operands.replace(',pt', '').replace(',pn', '').split()[0], 16)
    if mnemonic in ENDS:
        return 'return' if 'ret' in mnemonic else 'end', 0
    if mnemonic.startswith('lret'):
        return 'move', -16  # an asm statement that reloads CS, and goes on behind it
    if mnemonic.startswith('leave'):
        return 'leave', 0
    if operands == '%rsp,%rbp' and mnemonic == 'mov':
        return 'set_rbp', 0
    if operands == '%rbp,%rsp' and mnemonic == 'mov':
        return 'from_rbp', 0
    if operands.endswith(',%rsp') and mnemonic not in ('cmp', 'test', 'cmpq', 'testq'):
        moved, lea = MOVED.match(operands), LEA.match(operands)
        if moved and mnemonic in ('sub', 'add', 'and'):
            value = _signed(*moved.groups())
            return 'move', {'sub': value, 'add': -value, 'and': -value - 8}[mnemonic]
        if lea and mnemonic == 'lea':
            value = _signed(*lea.groups()[:2])
            return ('move', -value) if lea.group(3) == 'sp' else ('from_rbp', -value)
        return 'unknown', 0
    if operands.endswith(',%rbp') and mnemonic.startswith(('mov', 'lea', 'xor')):
        return 'lose_rbp', 0
    return None


class Image:
    """All functions of one ELF."""

    def __init__(self, path, elf, rules=()):
        self.elf = elf
        unread = {rule.name for rule in rules if rule.kind in ('assembly32', 'data')}
        self.landings = [(symbol.address, rule.numbers()[0]) for rule in rules
                         if rule.kind == 'landing' for symbol in elf.by_name.get(rule.name, ())]
        self.instructions = {}
        self.following = {}
        self.taken = set()  # addresses that the code loads or the data holds
        self._disassemble(path)
        self.taken.update(word for word in elf.data_words() if word in elf.owners)
        self.functions = {start: Code(start) for start, (symbol, _) in elf.owners.items()
                          if not is_part(symbol.name) and not unread.intersection(
                              other.name for other in elf.names_at[start])}
        self.noreturn = set(self.functions)
        self._analyse_all()

    def _disassemble(self, path):
        listing = subprocess.run(['objdump', '-d', '--no-show-raw-insn', path], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        last = None
        for line in listing.splitlines():
            match = LINE.match(line)
            if not match:
                continue
            at, mnemonic, operands = int(match.group(1), 16), match.group(2), match.group(3).strip()
            while mnemonic in PREFIXES or mnemonic.startswith('rex'):
                mnemonic, _, operands = operands.partition(' ')
                operands = operands.strip()
                if not mnemonic:
                    mnemonic = 'nop'
            try:
                self.instructions[at] = _decode(mnemonic, operands)
            except (ValueError, IndexError):
                self.instructions[at] = ('unknown', 0)
            if last is not None:
                self.following[last] = at
            last = at
            if '$0x' in operands:
                for digits in LOADED.findall(operands):
                    self.taken.add(int(digits, 16))
            relative = RELATIVE.search(line)
            if relative and mnemonic == 'lea':
                self.taken.add(int(relative.group(1), 16))

    def _analyse_all(self):
        """Code behind a call that does not return is not reached: which functions return is found
        first, by assuming none and looking until nothing changes."""
        pending = set(self.functions)
        while pending:
            returning = set()
            for start in pending:
                code = self.functions[start] = self._analyse(start)
                if code.returns and start in self.noreturn:
                    returning.add(start)
            self.noreturn -= returning
            pending = {start for start in self.functions
                       if returning & self.functions[start].calls}

    def _is_inside(self, address, start):
        symbol = self.elf.owner(address)
        if symbol is None:
            return False
        return symbol.address == start or (is_part(symbol.name) and part_of(symbol.name) in
                                           [s.name for s in self.elf.names_at[start]])

    def _table(self, operands, start):
        """Where a switch's jump table leads, or nothing if it is a call through pointers."""
        match = TABLE.match(operands)
        targets = []
        if match:
            at = _signed(*match.groups()) & (1 << 64) - 1
            while True:
                word = self.elf.word(at)
                if word is None or not self._is_inside(word, start):
                    break
                targets.append(word)
                at += 8
        return targets

    def _analyse(self, start):
        code = Code(start)
        seen = {}
        work = [(start, 0, None)] + [(address, depth, None) for address, depth in self.landings
                                     if self._is_inside(address, start)]
        while work:
            at, depth, rbp = work.pop()
            if at not in self.instructions or not self._is_inside(at, start):
                continue
            if at in seen and seen[at][0] >= depth and (seen[at][1] == rbp or seen[at][1] is None):
                continue
            if at in seen:
                depth = max(depth, seen[at][0])
                rbp = rbp if rbp == seen[at][1] else None
            seen[at] = (depth, rbp)
            depth, rbp, successors = self._step(code, at, depth, rbp)
            code.depth = max(code.depth, depth)
            if depth > DEEPEST:
                code.unbounded = True
                break
            work.extend((successor, depth, rbp) for successor in successors)
        return code

    def _step(self, code, at, depth, rbp):
        """(depth, rbp, successors) behind one instruction."""
        kind, value = self.instructions[at] or (None, 0)
        following = [self.following[at]] if at in self.following else []
        if kind == 'move':
            depth += value
        elif kind in ('leave', 'from_rbp', 'pop_rbp'):
            if kind == 'pop_rbp':
                depth, rbp = depth - 8, None
            elif rbp is None:
                code.unbounded = True
            elif kind == 'leave':
                depth, rbp = rbp - 8, None
            else:
                depth = rbp + value
        elif kind in ('set_rbp', 'lose_rbp'):
            rbp = depth if kind == 'set_rbp' else None
        elif kind == 'unknown':
            code.unbounded = True
        elif kind in ('return', 'end'):
            code.returns |= kind == 'return'
            following = []
        elif kind == 'branch':
            following += self._jump(code, value)
        elif kind == 'jmp':
            following = self._jump(code, value)
        elif kind == 'call':
            code.calls.add(value)
            if value in self.noreturn:
                following = []
        elif kind == 'jmp*':
            following = self._table(value, code.start)
            if not following:
                code.indirect += 1
                code.returns = True
        elif kind == 'call*':
            code.indirect += 1
        return depth, rbp, following

    def _jump(self, code, target):
        if self._is_inside(target, code.start):
            return [target]
        code.calls.add(target)
        owner = self.elf.owner(target)
        code.returns |= owner is not None and owner.address not in self.noreturn
        return []


def is_part(name):
    """gcc moves the unlikely part of a function elsewhere."""
    return '.cold' in name


def part_of(name):
    return name[:name.index('.cold')]
