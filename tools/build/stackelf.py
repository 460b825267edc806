"""What the stack proof needs of a linked ELF64: its functions, and words of its data."""

import bisect
import struct

FUNC, FILE = 2, 4
EXECUTABLE = 4


class Symbol:
    """One name in a section: a function, or a label of assembly."""

    def __init__(self, name, address, size, kind, is_global, file):
        self.name, self.address, self.size = name, address, size
        self.kind, self.is_global, self.file = kind, is_global, file


class Elf:
    def __init__(self, path):
        with open(path, 'rb') as file:
            self.data = file.read()
        offset, = struct.unpack_from('<Q', self.data, 40)
        size, count, names = struct.unpack_from('<HHH', self.data, 58)
        # name, type, flags, address, offset, size, link
        self.sections = [struct.unpack_from('<IIQQQQI', self.data, offset + index * size)
                         for index in range(count)]
        self.section_names = [self._text(self.sections[names][4] + section[0])
                              for section in self.sections]
        self.symbols = list(self._symbols())
        self.text = [symbol for symbol in self._in_text(self.symbols)]
        self.by_name = {}
        for symbol in self.symbols:
            self.by_name.setdefault(symbol.name, []).append(symbol)
        self.owners, self.names_at = self._owners()
        self._starts = sorted(self.owners)

    def _text(self, at):
        return self.data[at:self.data.index(b'\0', at)].decode()

    def _symbols(self):
        for section in self.sections:
            if section[1] != 2:  # SHT_SYMTAB
                continue
            names, file = self.sections[section[6]][4], ''
            for at in range(section[4] + 24, section[4] + section[5], 24):
                name, info, _, index, value, size = struct.unpack_from('<IBBHQQ', self.data, at)
                name = self._text(names + name)
                if info & 15 == FILE:
                    file = name
                elif name and index != 0:
                    is_global = info >> 4 != 0
                    yield Symbol(name, value, size, info & 15, is_global, '' if is_global else file)

    def _in_text(self, symbols):
        ranges = [(section[3], section[3] + section[5]) for section in self.sections
                  if section[2] & EXECUTABLE]
        return (symbol for symbol in symbols if symbol.kind in (0, FUNC)
                and any(start <= symbol.address < end for start, end in ranges))

    def _owners(self):
        """{start: (symbol, end)}: functions with a size, and labels of assembly outside of them."""
        owners, names_at = {}, {}
        for symbol in self.text:
            names_at.setdefault(symbol.address, []).append(symbol)
        sized = sorted((s for s in self.text if s.kind == FUNC and s.size),
                       key=lambda s: (s.address, not s.is_global, s.name))
        covered = 0
        for symbol in sized:
            if symbol.address not in owners:
                owners[symbol.address] = (symbol, symbol.address + symbol.size)
        starts = sorted(owners)
        for symbol in sorted(self.text, key=lambda s: s.address):
            at = bisect.bisect_right(starts, symbol.address) - 1
            covered = owners[starts[at]][1] if at >= 0 else 0
            if symbol.address >= covered and symbol.address not in owners:
                owners[symbol.address] = (symbol, 0)
        ends = sorted(owners)
        for start, following in zip(ends, ends[1:] + [1 << 64]):
            if not owners[start][1]:
                owners[start] = (owners[start][0], following)
        return owners, names_at

    def owner(self, address):
        """The symbol whose code the address lies in, or None."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0 or address >= self.owners[self._starts[at]][1]:
            return None
        return self.owners[self._starts[at]][0]

    def word(self, address):
        """The 8 bytes at an address, or None where the file has none."""
        for _, kind, _, start, offset, size, _ in self.sections:
            if kind != 8 and start and start <= address and address + 8 <= start + size:
                return struct.unpack_from('<Q', self.data, offset + address - start)[0]
        return None

    def data_words(self):
        """Every aligned word of the loaded data."""
        for _, kind, flags, start, offset, size, _ in self.sections:
            if kind == 1 and flags & 2 and not flags & EXECUTABLE and start % 8 == 0:
                yield from (word for word, in struct.iter_unpack(
                    '<Q', self.data[offset:offset + size // 8 * 8]))
