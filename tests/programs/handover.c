// SPDX-License-Identifier: MIT

// handover COUNT: two threads pass COUNT blocks through a ring at full speed; one allocates them,
// the other frees them. Prints how many frees were not the allocating thread's.

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ring_slots = 64 };
static _Atomic(void *) ring[ring_slots];
static long count;

static void *produce(void *argument) {
    for (long at = 0; at < count; ++at) {
        void *block = malloc(16 + (size_t)(at % 13) * 8);
        _Atomic(void *) *slot = &ring[at % ring_slots];
        while (atomic_load_explicit(slot, memory_order_relaxed) != NULL)
            ;
        atomic_store_explicit(slot, block, memory_order_release);
    }
    return argument;
}

static void *consume(void *argument) {
    for (long at = 0; at < count; ++at) {
        _Atomic(void *) *slot = &ring[at % ring_slots];
        void *block;
        while ((block = atomic_load_explicit(slot, memory_order_acquire)) == NULL)
            ;
        atomic_store_explicit(slot, NULL, memory_order_release);
        free(block);
    }
    return argument;
}

int main(int argc, char **argv) {
    count = argc > 1 ? atol(argv[1]) : 1000;
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, produce, NULL);
    pthread_create(&threads[1], NULL, consume, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    printf("%ld\n", count);
    return 0;
}
