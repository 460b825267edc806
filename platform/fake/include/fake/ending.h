/*
 * Endings: calls of the contract that do not return.  FAKE_CATCH(statement) runs the statement and
 * gives how it ended; locals changed inside the statement and read after it must be volatile.
 * Per thread; nests up to eight deep.  An ending outside FAKE_CATCH prints itself and aborts.
 */
#ifndef FAKE_ENDING_H
#define FAKE_ENDING_H

#include <setjmp.h>

enum fake_ending {
    FAKE_RETURNED,  /* the statement ran to its end */
    FAKE_END_CHECK, /* a CHECK of the code under test was broken */
    FAKE_END_TRAP,  /* the CPU raised an exception in root mode, or shut down */
    FAKE_END_HALT,  /* hw_halt */
    FAKE_END_RESET, /* hw_reset */
    FAKE_END_LEAVE  /* the test itself called fake_leave() from a callback */
};

#define FAKE_CATCH(statement)                                                                      \
    __extension__({                                                                                \
        if (setjmp(*fake_catch_begin()) == 0) {                                                    \
            statement;                                                                             \
            fake_catch_returned();                                                                 \
        }                                                                                          \
        fake_catch_end();                                                                          \
    })

/* Text of the last ending: file, line and expression of a CHECK, or what the CPU objected to. */
const char *fake_ending_text(void);

/* Ends the innermost FAKE_CATCH; for callbacks that have seen enough. */
_Noreturn void fake_leave(void);

/* Used by the macro. */
jmp_buf *fake_catch_begin(void);
void fake_catch_returned(void);
enum fake_ending fake_catch_end(void);

#endif
