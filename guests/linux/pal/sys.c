#include "sys.h"

#include "numbers.h"
#include "say.h"

/* The compiler calls these two for structures. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *start, int value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        ((uint8_t *)start)[i] = (uint8_t)value;
    }
    return start;
}

static long call3(long number, long a, long b, long c)
{
    return sys_call(number, a, b, c, 0, 0, 0);
}

static void *map(size_t pages, int flags, int file)
{
    long result =
        sys_call(NR_MMAP, 0, (long)(pages * PAGE), PROT_READ | PROT_WRITE, flags, file, 0);

    check((unsigned long)result < -4095UL, "mmap", (uintptr_t)result);
    return (void *)result;
}

void *sys_reserve(size_t pages)
{
    return map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void touch(uint8_t *start, size_t pages)
{
    for (size_t page = 0; page < pages; page++) {
        *(volatile uint8_t *)(start + page * PAGE) = 0;
    }
}

void *sys_pages(size_t pages)
{
    void *start = map(pages, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1);

    touch(start, pages);
    return start;
}

void sys_unmap(void *start, size_t pages)
{
    (void)call3(NR_MUNMAP, (long)start, (long)(pages * PAGE), 0);
}

void sys_protect(void *start, size_t pages, int protection)
{
    long result = call3(NR_MPROTECT, (long)start, (long)(pages * PAGE), protection);

    check(result == 0, "mprotect", (uintptr_t)result);
}

void sys_no_fork(void *start, size_t pages)
{
    long result = call3(NR_MADVISE, (long)start, (long)(pages * PAGE), MADV_DONTFORK);

    check(result == 0, "madvise", (uintptr_t)result);
}

void sys_do_fork(void *start, size_t pages)
{
    long result = call3(NR_MADVISE, (long)start, (long)(pages * PAGE), MADV_DOFORK);

    check(result == 0, "madvise", (uintptr_t)result);
}

int sys_memory_file(size_t pages)
{
    long file = call3(NR_MEMFD, (long)"pal", 0, 0);

    check(file >= 0 && call3(NR_FTRUNCATE, file, (long)(pages * PAGE), 0) == 0, "memfd",
          (uintptr_t)file);
    return (int)file;
}

void *sys_map_file(int file, size_t pages)
{
    void *start = map(pages, MAP_SHARED | MAP_LOCKED, file);

    touch(start, pages);
    return start;
}

long sys_write(int file, const void *from, size_t bytes)
{
    return call3(NR_WRITE, file, (long)from, (long)bytes);
}

void sys_drain(int file)
{
    (void)call3(NR_IOCTL, file, TCSBRK, 1);
}

long sys_read(int file, void *to, size_t bytes)
{
    return call3(NR_READ, file, (long)to, (long)bytes);
}

long sys_pread(int file, void *to, size_t bytes, uintptr_t offset)
{
    /* i386 takes the offset in two halves: the upper one is 0 here. */
    return sys_call(NR_PREAD, file, (long)to, (long)bytes, (long)offset, 0, 0);
}

int sys_open(const char *path)
{
    return (int)call3(NR_OPEN, (long)path, 0, 0);
}

void sys_close(int file)
{
    (void)call3(NR_CLOSE, file, 0, 0);
}

void sys_pipe(int file[2])
{
    check(call3(NR_PIPE, (long)file, 0, 0) == 0, "pipe", 0);
}

long sys_read_process(int process, void *to, uintptr_t from, size_t bytes)
{
    const uintptr_t local[2] = {(uintptr_t)to, bytes}, remote[2] = {from, bytes};

    return sys_call(NR_READ_PROCESS, process, (long)local, 1, (long)remote, 1, 0);
}

void sys_exit(int status)
{
    for (;;) {
        (void)call3(NR_EXIT_GROUP, status, 0, 0);
    }
}

int sys_fork(void)
{
    long process = call3(NR_FORK, 0, 0, 0);

    check(process >= 0, "fork", (uintptr_t)process);
    return (int)process;
}

int sys_own_process(void)
{
    return (int)call3(NR_GETPID, 0, 0, 0);
}

void sys_kill(int process, int signal)
{
    (void)call3(NR_KILL, process, signal, 0);
}

void sys_sleep_ms(unsigned milliseconds)
{
    const long time[2] = {(long)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};

    (void)call3(NR_NANOSLEEP, (long)time, 0, 0);
}

int sys_wait(int process, unsigned seconds)
{
    int status = 0;

    for (unsigned round = 0; round <= seconds * 100; round++) {
        if (sys_call(NR_WAIT, process, (long)&status, WNOHANG, 0, 0, 0) == process) {
            return status;
        }
        sys_sleep_ms(10);
    }
    return -1;
}

uint64_t sys_free_bytes(void)
{
    unsigned long info[32] = {0}; /* struct sysinfo: free RAM is its sixth word */

    (void)call3(NR_SYSINFO, (long)info, 0, 0);
    return info[5];
}

unsigned sys_cpus(void)
{
    unsigned long mask[16] = {0};
    unsigned cpus = 0;

    (void)call3(NR_GETAFFINITY, 0, sizeof(mask), (long)mask);
    for (unsigned bit = 0; bit < 64; bit++) {
        cpus += (((const uint8_t *)mask)[bit / 8] >> (bit % 8)) & 1;
    }
    return cpus;
}

void sys_pin(unsigned cpu)
{
    uint8_t mask[64] = {0};

    mask[cpu / 8] = (uint8_t)(1U << (cpu % 8));
    long result = call3(NR_SETAFFINITY, 0, sizeof(mask), (long)mask);
    check(result >= 0, "pin", (uintptr_t)result);
}
