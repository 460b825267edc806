"""Small programs for the tests of the stack proof: each runs on a painted stack that tells how much
of it was used, and is then given to the proof like an image."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'site_scons'))

import flags  # noqa: E402  the image's own flags are what is tested

ROOM_BYTES = 65536

_scratch = tempfile.mkdtemp(prefix='nacre-stack-')
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)

# Paints the stack, runs entry() on it, and writes how many bytes were used to standard output.
START = '''
    .text
    .globl _start
    .type _start, @function
_start:
    leaq room(%%rip), %%rdi
    movl $%d, %%ecx
    movabsq $0xa5a5a5a5a5a5a5a5, %%rax
    rep stosq
    leaq room_end(%%rip), %%rsp
    call entry
    leaq room(%%rip), %%rdi
    movl $%d, %%ecx
    movabsq $0xa5a5a5a5a5a5a5a5, %%rax
    repe scasq
    leaq room_end+8(%%rip), %%rax
    subq %%rdi, %%rax
    movq %%rax, used(%%rip)
    movl $1, %%eax
    movl $1, %%edi
    leaq used(%%rip), %%rsi
    movl $8, %%edx
    syscall
    movl $60, %%eax
    xorl %%edi, %%edi
    syscall
    .size _start, . - _start
    .bss
    .balign 16
room:
    .skip %d
room_end:
used:
    .skip 8
    .section .note.GNU-stack, "", @progbits
''' % (ROOM_BYTES // 8, ROOM_BYTES // 8, ROOM_BYTES)

# Every function of the programs is a call of its own, and writes to all of its frame.
COMMON = '''
#define CALLED __attribute__((noinline, noclone, noipa))
static inline __attribute__((always_inline)) void fill(volatile char *room, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        room[i] = 1;
    }
}
void entry(void);
'''

RULES = '''
assembly _start 0 0 switches entry -- the program's start, on the system's stack
stack main STACK_MAIN_BYTES entry -- what is measured
stack system STACK_SYSTEM_BYTES _start -- where the program starts
'''

LIBRARIES = 'LIBBASE LIBEPT LIBVMX LIBSMP LIBTPM LIBTV LIBC CRYPTO APP PLATFORM'.split()


class Program:
    """One program, built in a folder of its own."""

    def __init__(self, files, rules='', level='O2', stack_bytes=ROOM_BYTES, budget_bytes=ROOM_BYTES,
                 options=()):
        self.folder = tempfile.mkdtemp(dir=_scratch)
        self.objects = []
        self.write('start.S', START)
        self.write('stack.rules', RULES + rules)
        self.write('stack.h', ''.join('#define STACK_BUDGET_%s %d\n' % (name, budget_bytes)
                                      for name in LIBRARIES)
                   + '#define STACK_MAIN_BYTES %d\n' % stack_bytes
                   + '#define STACK_SYSTEM_BYTES 4096\n#define STACK_PATH_BYTES 1000000\n')
        for name, text in files.items():
            self.write(name, (COMMON if name.endswith('.c') else '') + text)
        for name in ['start.S', *files]:
            target = os.path.splitext(name)[0] + ('_S.o' if name.endswith('.S') else '.o')
            self.run(['gcc', *flags.MACHINE, *flags.STACK_REPORT, '-' + level, *options, '-c', name,
                      '-o', target])
            self.objects.append(target)
        self.run(['gcc', '-nostdlib', '-static', '-no-pie', '-Wl,--gc-sections', '-o', 'program',
                  *self.objects])

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    def change(self, name, change):
        """Passes a file through a function, which must change it."""
        path = os.path.join(self.folder, name)
        with open(path, encoding='utf-8') as file:
            before = file.read()
        after = change(before)
        if after == before:
            raise AssertionError('the mutant is the original: ' + before)
        self.write(name, after)

    def run(self, words):
        subprocess.run(words, cwd=self.folder, check=True)

    def measured(self):
        done = subprocess.run([os.path.join(self.folder, 'program')], check=True,
                              stdout=subprocess.PIPE)
        return int.from_bytes(done.stdout, 'little')

    def prove(self, *options):
        """(exit status, result or None, messages)"""
        result = os.path.join(self.folder, 'result.json')
        done = subprocess.run(
            [sys.executable, os.path.join(ROOT, 'tools/build/stack.py'), '--elf', 'program',
             '--library', 'app', *self.objects, '--rules', 'stack.rules', '--header', 'stack.h',
             '--result', result, *options], cwd=self.folder, stderr=subprocess.PIPE, text=True,
            check=False)
        return done.returncode, result if os.path.exists(result) else None, done.stderr
