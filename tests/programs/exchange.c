// SPDX-License-Identifier: MIT

// exchange THREADS ROUNDS [GIVEN]: each thread fills a window of blocks of its own and replaces one
// of them a round. Every GIVEN-th round (16) it leaves the old one in the mailbox of another thread
// instead, which frees it or makes it larger. Threads let each other run often: on few processors
// the recorded order would else be one of long slices, each waiting for the one before.

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { most_threads = 64, window = 1024, mailbox_slots = 64, rounds_between_yields = 32 };
static _Atomic(void *) mailboxes[most_threads][mailbox_slots];
static int thread_count;
static long rounds;
static long given = 16;

static size_t next_size(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return 16 + (size_t)(*state >> 32) % (*state % 64 == 0 ? 16384 : 256);
}

static void empty_mailbox(int own) {
    for (int slot = 0; slot < mailbox_slots; ++slot) {
        void *got = atomic_exchange(&mailboxes[own][slot], NULL);
        if (got != NULL && slot % 4 == 0)
            got = realloc(got, 512);
        free(got);
    }
}

static void *work(void *argument) {
    const int own = (int)(intptr_t)argument;
    uint64_t state = 88172645463325252ull + (uint64_t)own;
    void *blocks[window] = {NULL};
    for (long round = 0; round < rounds; ++round) {
        const size_t size = next_size(&state);
        const int slot = (int)(state % window);
        void *old = blocks[slot];
        if (round % given == 0) {
            const int other = (own + 1 + (int)(state % (uint64_t)thread_count)) % thread_count;
            old = atomic_exchange(&mailboxes[other][state % mailbox_slots], old);
        }
        free(old);
        blocks[slot] = malloc(size);
        if (blocks[slot] == NULL)
            exit(4);
        memset(blocks[slot], own, size);
        if (round % (given * mailbox_slots) == 0)
            empty_mailbox(own);
        if (round % rounds_between_yields == 0)
            sched_yield();
    }
    for (int slot = 0; slot < window; ++slot)
        free(blocks[slot]);
    return NULL;
}

int main(int argc, char **argv) {
    thread_count = argc > 1 ? atoi(argv[1]) : 8;
    rounds = argc > 2 ? atol(argv[2]) : 10000;
    given = argc > 3 ? atol(argv[3]) : given;
    if (thread_count < 1 || thread_count > most_threads || given < 1)
        return 2;
    pthread_t threads[most_threads];
    for (int own = 0; own < thread_count; ++own)
        if (pthread_create(&threads[own], NULL, work, (void *)(intptr_t)own) != 0)
            return 3;
    for (int own = 0; own < thread_count; ++own)
        pthread_join(threads[own], NULL);
    for (int own = 0; own < thread_count; ++own)
        empty_mailbox(own);
    return 0;
}
