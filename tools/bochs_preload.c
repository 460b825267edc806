/*
 * What Bochs gets in place of two functions of libc (LD_PRELOAD; made and used by bochs.py).
 */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Without a seed RDRAND gives the same numbers in every run. */
void srand(unsigned seed)
{
    (void)seed;
}

/*
 * Bochs takes the first port from 5900 on that it can bind. With SO_REUSEADDR two that start at
 * once can bind the same one; the second then fails to listen, and a bound socket takes no other
 * port. Without it the second is refused at once and tries the next port.
 */
int setsockopt(int socket, int level, int name, const void *value, socklen_t size)
{
    if (level == SOL_SOCKET && name == SO_REUSEADDR)
        return 0;
    return (int)syscall(SYS_setsockopt, socket, level, name, value, size);
}
