"""The stack proof (REQ-STK-2, REQ-STK-4): programs with known answers, measured and computed;
faults that it must name; and mutants of the call graph, which it must notice."""

import json
import re
import unittest

from stack_programs import Program

LEVELS = ('O2', 'Os', 'Og')

CHAIN = {'chain.c': '''
CALLED void third(void);
CALLED void third(void) { volatile char room[1000]; fill(room, 1000); }
CALLED void second(void);
CALLED void second(void) { volatile char room[100]; fill(room, 100); third(); room[1] = 2; }
CALLED void first(void);
CALLED void first(void) { volatile char room[500]; second(); fill(room, 500); }
void never(void);
void never(void) { volatile char room[30000]; fill(room, 30000); first(); }
void entry(void) { first(); second(); }
'''}

RECURSION = {'recursion.c': '''
int even(int n);
int odd(int n);
CALLED int even(int n) {
    volatile char room[64]; fill(room, 64); return n ? odd(n - 1) + room[1] : 0; }
CALLED int odd(int n) {
    volatile char room[200]; fill(room, 200); return n ? even(n - 1) + room[1] : 0; }
void entry(void) { even(8); }
'''}

POINTERS = {'pointers.c': '''
static CALLED void shallow(void) { volatile char room[50]; fill(room, 50); }
static CALLED void deep(void) { volatile char room[900]; fill(room, 900); }
void (*volatile chosen[2])(void) = {shallow, deep};
void entry(void) { for (int i = 0; i < 2; i++) { chosen[i](); } }
'''}

# A library's table of functions is linked as a whole; never() is not linked.
TABLE = {'table.c': '''
void deep(void);
void shallow(void);
CALLED void deep(void) { volatile char room[900]; fill(room, 900); }
CALLED void shallow(void) { volatile char room[50]; fill(room, 50); }
void (*const table[2])(void) = {shallow, deep};
void (*const *volatile chosen)(void);
void entry(void) { chosen = table; shallow(); }
''', 'never.c': '''
extern void (*const *volatile chosen)(void);
void never(void);
void never(void) { chosen[1](); }
'''}

STATICS = {'one/same.c': '''
static CALLED void work(void) { volatile char room[40]; fill(room, 40); }
void one(void);
CALLED void one(void) { volatile char room[700]; fill(room, 700); work(); room[0] = 1; }
''', 'other.c': '''
static CALLED void work(void) { volatile char room[600]; fill(room, 600); }
void other(void);
CALLED void other(void) { work(); }
''', 'main.c': 'void one(void); void other(void);\nvoid entry(void) { one(); other(); }\n'}

TAIL = {'tail.c': '''
CALLED int last(int n);
CALLED int last(int n) { volatile char room[300]; fill(room, 300); return room[n]; }
CALLED int middle(int n);
CALLED int middle(int n) { return last(n + 1); }
int volatile sink;
void entry(void) { sink = middle(1); }
'''}

CLONES = {'clones.c': '''
struct pair { int a, b; };
int volatile sink;
static __attribute__((noinline)) int sum(struct pair *p, int n) { volatile char room[256];
    fill(room, 256); return p->a + room[n]; }
static inline int twice(int n) { volatile char room[80]; fill(room, 80); return room[n & 7] + n; }
CALLED void failed(int n);
CALLED void failed(int n) { volatile char room[400]; fill(room, 400); sink = room[n]; }
static __attribute__((noinline)) int checked(int n) {
    if (__builtin_expect(n > 3, 0)) { failed(n); return 0; }
    return twice(n);
}
void entry(void) { struct pair p = {1, 2}; sink = sum(&p, 3) + checked(sink) + checked(9); }
'''}

SWITCH = {'switch.c': '''
int volatile sink;
#define CASE(n) case n: sink = n * 3 + 1; fill(room, 64 * n); break;
CALLED void choose(int n);
CALLED void choose(int n) {
    volatile char room[512];
    switch (n) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) default: sink = 0; }
}
void entry(void) { choose(8); }
'''}

ASSEMBLY = {'assembly.S': '''
    .text
    .globl twist
    .type twist, @function
twist:
    pushq %rbx
    pushq $1
    pushq $2
    subq $64, %rsp
    movb $1, (%rsp)
    call below
    addq $80, %rsp
    popq %rbx
    ret
    .size twist, . - twist
    .section .note.GNU-stack, "", @progbits
''', 'main.c': '''
void twist(void);
void below(void);
CALLED void below(void) { volatile char room[300]; fill(room, 300); }
void entry(void) { twist(); }
'''}
TWIST = 'assembly twist 8 88 calls below -- three words and 64 bytes of room\n'

INLINE_ASSEMBLY = {'inline.c': '''
CALLED void pushes(void);
CALLED void pushes(void) {
    __asm__ volatile("pushq $1; pushq $2; popq %%rax; popq %%rax" ::: "rax"); }
void entry(void) { pushes(); }
'''}


class KnownAnswers(unittest.TestCase):
    def agrees(self, files, rules='', slack=0, at_least=0, levels=LEVELS):
        """What ran stayed within the computed depth, and that is no more than slack above."""
        for level in levels:
            with self.subTest(level=level):
                program = Program(files, rules, level)
                status, result, messages = program.prove()
                self.assertEqual(status, 0, messages)
                with open(result, encoding='ascii') as file:
                    computed = json.load(file)['stacks'][0]
                measured = program.measured()
                self.assertGreaterEqual(measured, at_least)
                self.assertLessEqual(measured, computed)
                self.assertLessEqual(computed - measured, slack)

    def test_chain_and_unreachable_code(self):
        self.agrees(CHAIN, slack=32, at_least=1600)

    def test_bounded_recursion(self):
        # even() is entered 5 times, odd() 4 times; the proof allows odd() once more at most.
        self.agrees(RECURSION, 'bounded even 5 -- entry() starts with 8\n', 320, 5 * 64 + 4 * 200)

    def test_function_pointers(self):
        self.agrees(POINTERS, 'indirect pointers.c calls shallow deep -- the table\n', 32, 900)

    def test_table_of_which_not_everything_is_called(self):
        rule = 'indirect never.c calls shallow deep -- the table\n'
        self.agrees(TABLE, rule, 32, 50)
        called = {'never.c': TABLE['never.c'],
                  'table.c': TABLE['table.c'].replace('shallow(); }', 'never(); }').replace(
                      'void deep', 'void never(void);\nvoid deep', 1)}
        self.agrees(called, rule, 48, 900)

    def test_statics_of_the_same_name(self):
        self.agrees(STATICS, slack=32, at_least=740)
        same_file = dict(STATICS, **{'two/same.c': STATICS['other.c']})
        del same_file['other.c']
        self.agrees(same_file, slack=700, at_least=740)  # told apart by folder only: the worse

    def test_tail_calls(self):
        self.agrees(TAIL, slack=64, at_least=300)

    def test_inlined_cloned_and_cold_code(self):
        self.agrees(CLONES, slack=64, at_least=400)

    def test_switch_is_no_call_through_a_pointer(self):
        self.agrees(SWITCH, slack=64, at_least=512)

    def test_assembly(self):
        self.agrees(ASSEMBLY, TWIST, 32, 388)

    def test_assembly_inside_c(self):
        self.agrees(INLINE_ASSEMBLY, 'extra pushes 16 -- two words\n', 16)


class Refused(unittest.TestCase):
    def refused(self, files, rules, *expected, **program):
        status, result, messages = Program(files, rules, **program).prove()
        self.assertEqual((status, result), (1, None), messages)
        for text in expected:
            self.assertRegex(messages, text)
        return messages

    def test_over_the_stack_prints_the_chain(self):  # REQ-STK-2
        messages = self.refused(CHAIN, '', 'the main stack has 1024 bytes', stack_bytes=1024)
        self.assertRegex(messages, r'(?s)entry \(app\).*first \(app\).*second \(app\).*'
                                   r'10\d\d +\d+  third \(app\)')

    def test_over_the_budget_prints_the_chain(self):  # REQ-STK-2
        self.refused(CHAIN, '', 'app needs 1[67]\\d\\d bytes, its budget is 1500', 'third',
                     budget_bytes=1500)

    def test_recursion(self):
        self.refused(RECURSION, '', 'recursion without a declared bound: (even -> odd|odd -> even)')

    def test_bound_that_does_not_close_every_cycle(self):
        files = {'recursion.c': RECURSION['recursion.c'].replace(
            'odd(n - 1) + room[1] : 0; }', 'odd(n - 1) + even(n - 1) + room[1] : 0; }', 1)}
        self.refused(files, 'bounded odd 4 -- wrong\n', 'recursion without a declared bound')

    def test_frames_without_a_bound(self):  # REQ-STK-4
        for body in ('volatile char room[n]; fill(room, n);',
                     'volatile char *room = __builtin_alloca(n); fill(room, n);'):
            self.refused({'vla.c': 'CALLED void vla(int n);\nCALLED void vla(int n) { %s }\n'
                                   'int volatile size = 10;\nvoid entry(void) { vla(size); }\n'
                                   % body}, '', 'vla at vla.c:.*: its frame has no bound')

    def test_undeclared_pointer(self):
        self.refused(POINTERS, '', 'entry calls through a pointer at pointers.c:', 'no rule says')

    def test_forgotten_target_of_a_pointer(self):
        self.refused(POINTERS, 'indirect pointers.c calls shallow -- wrong\n',
                     "deep's address is used, but no rule says who calls it")

    def test_rules_that_nothing_uses(self):
        self.refused(CHAIN, 'indirect chain.c calls third -- wrong\n', 'no call through a pointer')
        self.refused(CHAIN, 'assembly nowhere 8 8 -- wrong\n', 'no assembly function nowhere')
        self.refused(CHAIN, 'bounded third 2 -- wrong\n', 'third is on no cycle')
        self.refused(CHAIN, 'taken nowhere -- wrong\n', 'there is no nowhere')
        self.refused(CHAIN, 'landing nowhere 8 -- wrong\n', 'there is no nowhere')

    def test_rules_without_a_reason_and_malformed_ones(self):
        self.refused(CHAIN, 'bounded third 2\n', 'needs a reason')
        self.refused(CHAIN, 'bounded third many -- wrong\n', 'malformed')
        self.refused(CHAIN, 'frobnicate third -- wrong\n', 'unknown rule')

    def test_assembly_without_a_rule_or_with_a_wrong_one(self):
        self.refused(ASSEMBLY, '', 'twist is in the image, but neither', 'nothing is known')
        self.refused(ASSEMBLY, TWIST.replace('88', '80'),
                     'twist: frame of 88 bytes in the rule, 96')
        self.refused(ASSEMBLY, TWIST.replace('calls below', ''), 'twist calls below, which')

    def test_assembly_inside_c_that_is_not_declared(self):
        self.refused(INLINE_ASSEMBLY, '', r'pushes: frame of \d+ bytes in the call graph, \d+ in')

    def test_off_says_so_and_goes_on(self):
        status, result, messages = Program(CHAIN, stack_bytes=1024).prove('--off')
        self.assertEqual(status, 0)
        self.assertIsNotNone(result)
        self.assertIn('the main stack has 1024 bytes', messages)
        self.assertIn('NOT PROVEN', messages)


class Mutants(unittest.TestCase):
    """A call graph that lacks something never passes."""

    def noticed(self, files, unit, change, expected, rules=''):
        program = Program(files, rules)
        self.assertEqual(program.prove()[0], 0)
        program.change(unit, change)
        status, _, messages = program.prove()
        self.assertEqual(status, 1, messages)
        self.assertRegex(messages, expected)

    def test_smaller_frame(self):
        self.noticed(CHAIN, 'chain.ci', lambda text: text.replace('1024 bytes', '16 bytes'),
                     'third: frame of 16 bytes in the call graph')

    def test_missing_frame(self):
        self.noticed(CHAIN, 'chain.ci', lambda text: re.sub(r'node: .*"third".*\n', '', text),
                     'third is in the image, but neither|calls third, of which nothing is known')

    def test_missing_call(self):
        self.noticed(CHAIN, 'chain.ci',
                     lambda text: re.sub(r'edge: .*"second" targetname: "third".*\n', '', text),
                     'second calls third, which its call graph does not know')

    def test_missing_indirect_call(self):
        self.noticed(POINTERS, 'pointers.ci',
                     lambda text: re.sub(r'edge: .*"__indirect_call".*\n', '', text),
                     'entry calls through a pointer, which its call graph does not know',
                     'indirect pointers.c calls shallow deep -- the table\n')

    def test_missing_target_of_an_indirect_call(self):
        self.noticed(POINTERS, 'stack.rules', lambda text: text.replace('shallow deep', 'shallow'),
                     "deep's address is used", 'indirect pointers.c calls shallow deep -- table\n')

    def test_missing_entry(self):
        self.noticed(CHAIN, 'stack.rules', lambda text: text.replace('BYTES entry', 'BYTES third'),
                     'entry is in the image, but no path of the graph leads to it')


if __name__ == '__main__':
    unittest.main()
