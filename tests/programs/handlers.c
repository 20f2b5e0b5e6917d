// SPDX-License-Identifier: MIT

// handlers MODE ROUNDS: allocates under a storm of SIGALRM whose handler allocates and frees too,
// or forks ("fork", some times) a child that returns into the code that was interrupted and goes on
// allocating. Needs a malloc that may be called at any instant: reentrant_malloc.

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_children = 40 };
static volatile sig_atomic_t handled;
static volatile int is_forking;
static pid_t children[most_children];
static volatile sig_atomic_t child_count;
static volatile sig_atomic_t is_child;

static void on_timer(int number) {
    (void)number;
    int kept = errno;
    ++handled;
    if (!is_forking) {
        void *p = malloc(40);
        *(volatile char *)p = 1;
        free(p);
    } else if (!is_child && child_count < most_children) {
        pid_t child = fork();
        if (child == 0)
            is_child = 1;
        else
            children[child_count++] = child;
    }
    errno = kept;
}

int main(int argc, char **argv) {
    is_forking = argc > 1 && strcmp(argv[1], "fork") == 0;
    long rounds = argc > 2 ? atol(argv[2]) : 100000;
    int wanted = is_forking ? most_children : 100;
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    int period_us = is_forking ? 300 : 50;
    struct itimerval every = {{0, period_us}, {0, period_us}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (long round = 0; round < rounds || (!is_child && handled < wanted); ++round) {
        void *p = malloc(24 + (size_t)(round % 7) * 8 + (round % 3));
        *(volatile char *)p = 1;
        free(p);
        if (is_child && round > rounds)
            break;
        if (round > 2000000)
            break; // the heap is no larger
    }
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    if (is_child)
        return 0;
    for (int child_idx = 0; child_idx < child_count; ++child_idx) {
        int status = 0;
        waitpid(children[child_idx], &status, 0);
        if (status != 0)
            return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : 1;
    }
    return handled > 0 ? 0 : 2;
}
