/* The log of writes to tables, and the callback after each. */
#include "internal.h"

#include <stdlib.h>

static struct fake_write *writes;
static size_t count, capacity;
static fake_write_fn *write_fn;
static void *write_arg;

void fake_writes_reset(void)
{
    fake_writes_clear();
    write_fn = NULL;
}

void fake_writes_clear(void)
{
    fake_lock();
    free(writes);
    writes = NULL;
    count = capacity = 0;
    fake_unlock();
}

size_t fake_write_count(void)
{
    return count;
}

const struct fake_write *fake_write_at(size_t index)
{
    return index < count ? &writes[index] : NULL;
}

void fake_on_write(fake_write_fn *fn, void *arg)
{
    write_fn = fn;
    write_arg = arg;
}

void fake_log_write(uint64_t address, uint64_t old_value, uint64_t new_value)
{
    struct fake_write write = {address, old_value, new_value, hw_this_cpu()};
    fake_lock();
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 1024;
        writes = realloc(writes, capacity * sizeof *writes);
        if (!writes) {
            fake_misuse("no memory for %zu logged writes", capacity);
        }
    }
    writes[count++] = write;
    fake_unlock();
    if (write_fn) {
        write_fn(write_arg, &write);
    }
}
