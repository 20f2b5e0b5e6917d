// SPDX-License-Identifier: MIT
// What a program may do under the pool's malloc beyond plain calls. Each exits with 0 where it held.
//   pool_malloc foreign|idle|fork|limited
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { block_count = 4000, block_bytes = 20000 };
static void* blocks[block_count];

static long anonymous_kib(void) {
    char line[256];
    long kib = -1;
    FILE* const status = fopen("/proc/self/status", "r");
    while (kib < 0 && fgets(line, sizeof line, status) != NULL) {
        sscanf(line, "RssAnon: %ld", &kib);
    }
    fclose(status);
    return kib;
}

static void peak(void) {
    for (int at = 0; at < block_count; ++at) {
        blocks[at] = malloc(block_bytes);
        memset(blocks[at], 1, block_bytes);
    }
    for (int at = 0; at < block_count; ++at) {
        free(blocks[at]);
    }
}

// Memory that is not the pool's: realloc refuses it, free leaves it alone.
static int foreign(void) {
    static char own[64] = "kept";
    errno = 0;
    if (realloc(own, 100) != NULL || errno != ENOMEM) {
        return 1;
    }
    free(own);
    return strcmp(own, "kept") != 0;
}

// Without a further call, until the memory is gone; whoever runs this sets the limit.
static int idle(void) {
    peak();
    struct timespec pause = {0, 1000000};
    for (int step = 0; step < 20000; ++step) {
        nanosleep(&pause, NULL);
        if (anonymous_kib() < 10000) {
            return 0;
        }
    }
    return 1;
}

static void* churn(void* stop) {
    while (!__atomic_load_n((int*)stop, __ATOMIC_RELAXED)) {
        free(malloc(30000));
        void* few[200];
        for (int at = 0; at < 200; ++at) {
            few[at] = malloc((size_t)at * 8);
        }
        for (int at = 0; at < 200; ++at) {
            free(few[at]);
        }
    }
    return NULL;
}

// Children of a program whose other thread is in malloc all the time.
static int forks(void) {
    int stop = 0;
    int failed = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, churn, &stop);
    for (int child_count = 0; child_count < 50; ++child_count) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20); // a lock left held would hang it
            peak();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        failed |= status;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    return failed != 0;
}

// With little address space, half of it can be used at least.
static int limited(void) {
    size_t got_bytes = 0;
    for (;;) {
        char* const block = malloc(1 << 20);
        if (block == NULL) {
            return errno != ENOMEM || got_bytes < (size_t)200 << 20;
        }
        *block = 1;
        got_bytes += 1 << 20;
    }
}

int main(int argument_count, char** arguments) {
    const char* const what = argument_count > 1 ? arguments[1] : "";
    if (strcmp(what, "foreign") == 0) {
        return foreign();
    }
    if (strcmp(what, "idle") == 0) {
        return idle();
    }
    if (strcmp(what, "fork") == 0) {
        return forks();
    }
    return strcmp(what, "limited") == 0 ? limited() : 2;
}
