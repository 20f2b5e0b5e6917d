// SPDX-License-Identifier: MIT

// endings MODE: ways in which a program ends while its threads allocate.

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { short_threads = 400, workers = 4, rounds = 20000 };
static atomic_int is_running = 1;
static atomic_long done;
static atomic_int has_main_left;
static pthread_key_t leaving; // its destructor runs in pthread_exit

static void allocate_some(long count) {
    void *kept[16] = {0};
    for (long round = 0; round < count; ++round) {
        void **slot = &kept[round % 16];
        free(*slot);
        *slot = malloc(16 + (size_t)(round % 300));
    }
    for (int slot_idx = 0; slot_idx < 16; ++slot_idx)
        free(kept[slot_idx]);
}

static void *allocate_briefly(void *argument) {
    allocate_some(50);
    return argument;
}

static void *allocate_for_ever(void *argument) {
    while (atomic_load(&is_running)) {
        allocate_some(100);
        atomic_fetch_add(&done, 100);
    }
    return argument;
}

static void *allocate_after_main(void *argument) {
    while (!atomic_load(&has_main_left))
        sched_yield();
    allocate_some(rounds);
    return argument;
}

static void *leave(void *argument) {
    while (atomic_load(&done) < rounds)
        allocate_some(10);
    if (argument != NULL)
        abort();
    _exit(3);
}

static void start(void *(*work)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, argument) != 0)
        _exit(99);
    pthread_detach(thread);
}

static void on_leaving(void *value) {
    free(value);
    atomic_store(&has_main_left, 1);
}

static void at_quick(void) { allocate_some(10); }

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "short") == 0) {
        for (int begun = 0; begun < short_threads; begun += 8) {
            pthread_t threads[8];
            for (int thread_idx = 0; thread_idx < 8; ++thread_idx)
                pthread_create(&threads[thread_idx], NULL, allocate_briefly, NULL);
            for (int thread_idx = 0; thread_idx < 8; ++thread_idx)
                pthread_join(threads[thread_idx], NULL);
        }
        return 0;
    }
    if (strcmp(mode, "pthread_exit") == 0) {
        for (int worker = 0; worker < workers; ++worker)
            start(allocate_after_main, NULL);
        allocate_some(rounds);
        pthread_key_create(&leaving, on_leaving);
        pthread_setspecific(leaving, malloc(8));
        pthread_exit(NULL);
    }
    if (strcmp(mode, "quick_exit") == 0) {
        at_quick_exit(at_quick);
        allocate_some(rounds);
        quick_exit(4);
    }
    if (strcmp(mode, "abort") == 0) {
        allocate_some(rounds);
        abort();
    }
    // _exit, abort_thread, busy (until it is killed)
    for (int worker = 0; worker < workers; ++worker)
        start(allocate_for_ever, NULL);
    if (strcmp(mode, "_exit") == 0)
        start(leave, NULL);
    if (strcmp(mode, "abort_thread") == 0)
        start(leave, &done);
    allocate_for_ever(NULL);
    return 5;
}
