// SPDX-License-Identifier: MIT

// threads THREADS ROUNDS: each thread allocates, hands half of its blocks to the next one to free,
// and frees one from a destructor of thread-specific data. With a third argument a thread ends the
// process by _exit.

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { most_threads = 64 };
static _Atomic(void *) inbox[most_threads];
static int thread_count;
static long rounds;
static int leaves;
static pthread_key_t key;

static void *work(void *argument) {
    long own = (long)argument;
    pthread_setspecific(key, malloc(64));
    for (long round = 0; round < rounds; ++round) {
        void *kept = malloc(16 + (size_t)(round % 200));
        void *given = malloc(48);
        free(atomic_exchange(&inbox[(own + 1) % thread_count], given));
        free(kept);
    }
    if (leaves && own == 0)
        _exit(0);
    return NULL;
}

int main(int argc, char **argv) {
    thread_count = argc > 1 ? atoi(argv[1]) : 8;
    rounds = argc > 2 ? atol(argv[2]) : 1000;
    leaves = argc > 3;
    if (thread_count < 1 || thread_count > most_threads || pthread_key_create(&key, free) != 0)
        return 2;
    pthread_t threads[most_threads];
    for (long own = 0; own < thread_count; ++own)
        if (pthread_create(&threads[own], NULL, work, (void *)own) != 0)
            return 3;
    for (int own = 0; own < thread_count; ++own)
        pthread_join(threads[own], NULL);
    for (int own = 0; own < thread_count; ++own)
        free(atomic_exchange(&inbox[own], NULL));
    return 0;
}
