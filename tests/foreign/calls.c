// SPDX-License-Identifier: MIT
//
// What ltrace/real.txt and bpftrace/real.txt tell of: gcc -O0 -fno-builtin calls.c -lpthread
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void* work(void* unused) {
    (void)unused;
    for (int round = 0; round < 20; ++round) {
        void* block = malloc(100 + round);
        block = realloc(block, 300 + round);
        free(block);
    }
    return malloc(7);
}

int main(void) {
    pthread_t threads[2];
    for (int index = 0; index < 2; ++index) {
        pthread_create(&threads[index], NULL, work, NULL);
    }
    void* cleared = calloc(3, 5);
    void* aligned = memalign(64, 100);
    void* posix = NULL;
    if (posix_memalign(&posix, 32, 50) != 0) {
        return 1;
    }
    void* standard = aligned_alloc(16, 160);
    void* grown = realloc(NULL, 10);
    grown = realloc(grown, 0);
    free(NULL);
    free(cleared);
    free(aligned);
    free(posix);
    free(standard);
    for (int index = 0; index < 2; ++index) {
        void* left = NULL;
        pthread_join(threads[index], &left);
        free(left);
    }
    free(strdup("hello"));
    return malloc(SIZE_MAX) == NULL ? 0 : 1;
}
