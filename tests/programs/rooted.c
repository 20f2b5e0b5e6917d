// SPDX-License-Identifier: MIT
// Blocks that only a thread's stack or its thread-local variables lead to, of threads that sleep,
// run or have just run; prints their addresses while a frame ends.
#include <alloclab/marker.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local void* volatile local;
static pthread_barrier_t built;
static atomic_int is_done;
static int done_pipe[2];

static void say(const char* whose, void* p) {
    printf("%s %p\n", whose, p);
    fflush(stdout);
}

static void* sleep_on(void* unused) {
    void* volatile held = calloc(1, 40);
    local = calloc(1, 48);
    say("sleeper's stack", held);
    say("sleeper's local", local);
    pthread_barrier_wait(&built);
    char byte;
    if (read(done_pipe[0], &byte, 1) != 1)
        abort();
    free(held);
    free(local);
    return unused;
}

static void* run_on(void* unused) {
    void* volatile held = calloc(1, 56);
    local = calloc(1, 64);
    say("runner's stack", held);
    say("runner's local", local);
    pthread_barrier_wait(&built);
    while (!atomic_load(&is_done)) {
    }
    free(held);
    free(local);
    return unused;
}

int main(void) {
    pthread_t sleeper, runner;
    void* volatile held = calloc(1, 72);
    local = calloc(1, 80);
    if (pipe(done_pipe) != 0)
        return 1;
    pthread_barrier_init(&built, NULL, 3);
    pthread_create(&sleeper, NULL, sleep_on, NULL);
    pthread_create(&runner, NULL, run_on, NULL);
    pthread_barrier_wait(&built);
    usleep(20000);
    say("own stack", held);
    say("own local", local);
    alloclab_frame_end(0);
    atomic_store(&is_done, 1);
    if (write(done_pipe[1], "", 1) != 1)
        return 1;
    pthread_join(sleeper, NULL);
    pthread_join(runner, NULL);
    free(held);
    free(local);
    alloclab_frame_end(0);
    return 0;
}
