"""Compiler and linker flags, each group with its reason."""

WARNINGS = '''
    -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wconversion -Wno-sign-conversion
'''.split()

# The image runs without an operating system, in the upper 2 GiB of the address space, and must not
# touch vector or x87 registers: those hold the guest's values. No red zone: interrupts and NMIs use
# the same stack. Frame pointers are what the stack traces of a panic walk along.
MACHINE = '''
    -ffreestanding -m64 -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie
    -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-ipa-icf
    -fno-omit-frame-pointer -ffunction-sections -fdata-sections -g
'''.split()

# The compiler writes each function's frame size and callees beside the object (FILE.su, FILE.ci).
STACK_REPORT = ['-fstack-usage', '-fcallgraph-info=su']

# A frame stays below half a page, so that no call can step over the guard page below a stack.
FRAME_LIMIT = ['-Wstack-usage=2048']

# Files of others: their warnings are not ours to mend, and a loop that is memcpy's body must not
# become a call of memcpy.
THIRD_PARTY = ['-std=gnu11', '-w', '-fno-builtin', '-fno-tree-loop-distribute-patterns']

LINK = '''
    -m64 -nostdlib -static -no-pie -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
    -Wl,--build-id=none -Wl,--fatal-warnings
'''.split()

HOST = ['-g', '-fno-omit-frame-pointer']
SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']
COVERAGE = ['--coverage']


def reproducible(folder, name='.'):
    """No path of the machine that builds is left in an object. In $( $): a tree that is moved, with
    what was built in it, is not built again."""
    return ['$(', '-ffile-prefix-map=%s=%s' % (folder, name), '$)']
