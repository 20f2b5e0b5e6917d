// SPDX-License-Identifier: MIT
// Allocates at the end of stacks that have little room: threads of the least size there is, and a
// handler on an alternate stack. Each stack is painted before; prints how much of it was used, in
// bytes: of a thread at work, and of the handler.
//   tiny_stacks [DEPTH]    so many calls deep; the exit code is 5
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { stack_bytes = 16384, threads = 8, rounds = 300, paint = 0xa5, code = 5 };

static int depth;

static void* volatile kept;

__attribute__((noinline)) static int descend(int left) {
    if (left > 0)
        return descend(left - 1) + 1;
    for (int round = 0; round < rounds; ++round) {
        kept = malloc((size_t)round * 37 + 1);
        kept = realloc(kept, (size_t)round + 70000);
        free(kept);
    }
    return 0;
}

static void* work(void* unused) {
    (void)unused;
    descend(depth);
    return NULL;
}

static void handle(int number) {
    (void)number;
    descend(depth);
}

static unsigned char* painted(void) {
    unsigned char* const guarded =
        mmap(NULL, 4096 + stack_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char* const stack = guarded + 4096;
    if (guarded == MAP_FAILED || mprotect(stack, stack_bytes, PROT_READ | PROT_WRITE) != 0)
        abort();
    memset(stack, paint, stack_bytes);
    return stack;
}

static size_t used(const unsigned char* stack) {
    size_t unused = 0;
    while (unused < stack_bytes && stack[unused] == paint)
        ++unused;
    return stack_bytes - unused;
}

static size_t use_of_threads(void) {
    size_t most = 0;
    for (int thread_idx = 0; thread_idx < threads; ++thread_idx) {
        unsigned char* const stack = painted();
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        if (pthread_attr_setstack(&attributes, stack, stack_bytes) != 0 ||
            pthread_create(&thread, &attributes, work, NULL) != 0 ||
            pthread_join(thread, NULL) != 0)
            abort();
        pthread_attr_destroy(&attributes);
        most = used(stack) > most ? used(stack) : most;
    }
    return most;
}

static size_t use_of_handler(void) {
    unsigned char* const stack = painted();
    const stack_t other = {.ss_sp = stack, .ss_size = stack_bytes};
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&other, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0 ||
        raise(SIGUSR1) != 0)
        abort();
    return used(stack);
}

int main(int count, char** arguments) {
    depth = count > 1 ? atoi(arguments[1]) : 0;
    const size_t of_threads = use_of_threads();
    printf("%zu %zu\n", of_threads, use_of_handler());
    return code;
}
