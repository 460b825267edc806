/* The ticket lock with real threads: exclusion, and first come, first served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/spinlock.h>
#include <pthread.h>
#include <sched.h>

#define THREADS 2
#define ROUNDS 200

static struct spinlock lock;
static uint64_t counter;

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        spinlock_lock(&lock);
        uint64_t seen = *(volatile uint64_t *)&counter;
        sched_yield();
        *(volatile uint64_t *)&counter = seen + 1;
        spinlock_unlock(&lock);
    }
    return NULL;
}

static void test_exclusion(void **state)
{
    (void)state;
    lock = (struct spinlock){0};
    counter = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(lock.next, lock.serving);
}

static unsigned order[THREADS], order_count;

static void *queue(void *arg)
{
    spinlock_lock(&lock);
    order[order_count++] = *(unsigned *)arg;
    spinlock_unlock(&lock);
    return NULL;
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    lock = (struct spinlock){.next = UINT32_MAX - 1, .serving = UINT32_MAX - 1}; /* tickets wrap */
    order_count = 0;
    spinlock_lock(&lock);
    pthread_t threads[THREADS];
    unsigned number[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        number[i] = i;
        uint32_t drawn = __atomic_load_n(&lock.next, __ATOMIC_RELAXED);
        assert_int_equal(pthread_create(&threads[i], NULL, queue, &number[i]), 0);
        while (__atomic_load_n(&lock.next, __ATOMIC_RELAXED) == drawn) {
            sched_yield();
        }
    }
    spinlock_unlock(&lock);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(order[i], i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exclusion),
        cmocka_unit_test(test_first_come_first_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
