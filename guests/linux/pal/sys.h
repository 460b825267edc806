/* System calls, memory, threads and signals without a C library. */
#ifndef PAL_SYS_H
#define PAL_SYS_H

#include "asm.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096U

enum { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { SIGILL = 4, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGSEGV = 11 };
enum { EFAULT = 14 };

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *start, int value, size_t bytes);

/* Zeroed pages of our own, present and locked; a failure ends the program. */
void *sys_pages(size_t pages);
/* The same, neither present nor locked. */
void *sys_reserve(size_t pages);
void sys_unmap(void *start, size_t pages);
void sys_protect(void *start, size_t pages, int protection);
/* The pages are not copied to children. */
void sys_no_fork(void *start, size_t pages);
/* They are again. */
void sys_do_fork(void *start, size_t pages);
/* A file of so many pages without a name; and a mapping of one, read and write, shared. */
int sys_memory_file(size_t pages);
void *sys_map_file(int file, size_t pages);

long sys_write(int file, const void *from, size_t bytes);
/* Waits until a terminal has shown what was written. */
void sys_drain(int file);
long sys_read(int file, void *to, size_t bytes);
long sys_pread(int file, void *to, size_t bytes, uintptr_t offset);
int sys_open(const char *path);
void sys_close(int file);
void sys_pipe(int file[2]);
long sys_read_process(int process, void *to, uintptr_t from, size_t bytes);

_Noreturn void sys_exit(int status);
int sys_fork(void);
int sys_own_process(void);
void sys_kill(int process, int signal);
/* The process's wait status; -1 when it has not ended within the time. */
int sys_wait(int process, unsigned seconds);
void sys_sleep_ms(unsigned milliseconds);

uint64_t sys_free_bytes(void);
unsigned sys_cpus(void);
void sys_pin(unsigned cpu);

struct thread {
    void (*function)(void *);
    void *argument;
    unsigned cpu;
    int tid;
    void *stack;
};
void thread_start(struct thread *thread);
void thread_join(struct thread *thread);

/* The signal that stopped function(argument), or 0. Only one thread may be guarded at a time. */
int signal_of(void (*function)(void *), void *argument);
/* From now on SIGSEGV and the like end in signal_of() or, outside of it, in unexpected(). */
void signals_catch(void (*unexpected)(int signal, uintptr_t address));

static inline uint64_t sys_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return ((uint64_t)high << 32) | low;
}

#endif
