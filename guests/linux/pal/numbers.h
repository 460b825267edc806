/* Numbers of Linux's system calls and the layouts that go with them. */
#ifndef PAL_NUMBERS_H
#define PAL_NUMBERS_H

#ifdef __x86_64__
enum {
    NR_READ = 0,
    NR_WRITE = 1,
    NR_OPEN = 2,
    NR_CLOSE = 3,
    NR_MMAP = 9,
    NR_MPROTECT = 10,
    NR_MUNMAP = 11,
    NR_SIGACTION = 13,
    NR_IOCTL = 16,
    NR_PREAD = 17,
    NR_PIPE = 22,
    NR_YIELD = 24,
    NR_MADVISE = 28,
    NR_NANOSLEEP = 35,
    NR_GETPID = 39,
    NR_FORK = 57,
    NR_WAIT = 61,
    NR_KILL = 62,
    NR_FTRUNCATE = 77,
    NR_SYSINFO = 99,
    NR_SIGALTSTACK = 131,
    NR_FUTEX = 202,
    NR_SETAFFINITY = 203,
    NR_GETAFFINITY = 204,
    NR_EXIT_GROUP = 231,
    NR_READ_PROCESS = 310,
    NR_MEMFD = 319
};
#else
enum {
    NR_FORK = 2,
    NR_READ = 3,
    NR_WRITE = 4,
    NR_OPEN = 5,
    NR_CLOSE = 6,
    NR_GETPID = 20,
    NR_KILL = 37,
    NR_PIPE = 42,
    NR_IOCTL = 54,
    NR_MUNMAP = 91,
    NR_FTRUNCATE = 93,
    NR_WAIT = 114,
    NR_SYSINFO = 116,
    NR_MPROTECT = 125,
    NR_YIELD = 158,
    NR_NANOSLEEP = 162,
    NR_SIGACTION = 174,
    NR_PREAD = 180,
    NR_SIGALTSTACK = 186,
    NR_MMAP = 192, /* mmap2 */
    NR_MADVISE = 219,
    NR_FUTEX = 240,
    NR_SETAFFINITY = 241,
    NR_GETAFFINITY = 242,
    NR_EXIT_GROUP = 252,
    NR_READ_PROCESS = 347,
    NR_MEMFD = 356
};
#endif

enum {
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_ANONYMOUS = 0x20,
    MAP_LOCKED = 0x2000,
    MADV_DONTFORK = 10,
    MADV_DOFORK = 11,
    SA_SIGINFO = 4,
    SA_ONSTACK = 0x08000000,
    SA_RESTORER = 0x04000000,
    SA_NODEFER = 0x40000000,
    WNOHANG = 1,
    TCSBRK = 0x5409
};

/* CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _PARENT_SETTID, _CHILD_CLEARTID */
#define THREAD_FLAGS                                                                               \
    (0x100U | 0x200U | 0x400U | 0x800U | 0x10000U | 0x40000U | 0x100000U | 0x200000U)

struct kernel_sigaction {
    void (*handler)(int, void *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint32_t mask[2];
};

struct kernel_stack {
    void *start;
    int flags;
    size_t bytes;
};

#endif
