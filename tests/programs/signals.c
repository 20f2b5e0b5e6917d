// SPDX-License-Identifier: MIT

// Allocates while a timer's handler calls free(NULL), which the C library allows at any instant and
// a recorder must therefore survive inside itself. Prints how often the handler ran.

#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;
static void *volatile nothing;

static void on_timer(int number) {
    (void)number;
    free(nothing);
    free(nothing);
    ++handled;
}

int main(int argc, char **argv) {
    long rounds = argc > 1 ? atol(argv[1]) : 1000000;
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 50}, {0, 50}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (long round = 0; round < rounds; ++round) {
        void *p = malloc(24 + (size_t)(round % 7) * 8);
        *(volatile char *)p = 1;
        free(p);
    }
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    printf("%ld\n", (long)handled);
    return 0;
}
