/* parallel.c: a loop over independent pieces of work, on several threads. Not a pool: threads live for one
 * loop, some ten microseconds each. */
#include "base.h"
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MOST = 64 };

typedef struct loop {
    atomic_size_t next;
    size_t count;
    void (*fn)(void *arg, size_t index);
    void *arg;
} loop;

/* Takes the next piece as long as there is one: uneven pieces even out. */
static void *work(void *shared) {
    loop *l = shared;
    for (size_t i; (i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed)) < l->count;)
        l->fn(l->arg, i);
    return NULL;
}

void cw_parallel(int32_t threads, size_t count, void (*fn)(void *arg, size_t index), void *arg) {
    pthread_t helper[THREADS_MOST];
    loop l = {.count = count, .fn = fn, .arg = arg};
    atomic_init(&l.next, 0);
    size_t wanted = threads < 1 ? 1 : threads > THREADS_MOST ? THREADS_MOST : (size_t)threads, started = 0;
    if (wanted > count) wanted = count;
    while (started + 1 < wanted && pthread_create(&helper[started], NULL, work, &l) == 0) started++;
    work(&l);
    for (size_t i = 0; i < started; i++) pthread_join(helper[i], NULL);
}
