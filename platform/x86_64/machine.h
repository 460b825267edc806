/* What the platform's files need of each other and nobody else. */
#ifndef X86_MACHINE_H
#define X86_MACHINE_H

_Noreturn void machine_triple_fault(void);

#endif
