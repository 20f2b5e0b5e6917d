// SPDX-License-Identifier: MIT

// children MODE: ways of making a child. Parent and child both go on allocating at once, the child
// blocks of 1001 bytes, the parent of 2002, so that neither can be taken for the other's.

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { rounds = 20000, inherited_blocks = 100 };
static void *inherited[inherited_blocks];
static char stack[256 << 10] __attribute__((aligned(16)));

static void allocate(size_t size) {
    void *kept[8] = {0};
    for (long round = 0; round < rounds; ++round) {
        void **slot = &kept[round % 8];
        free(*slot);
        *slot = malloc(size);
    }
    for (int slot_idx = 0; slot_idx < 8; ++slot_idx)
        free(kept[slot_idx]);
    void *volatile large = malloc(1 << 20); // has touched pages counted
    memset(large, 1, 1 << 16);
    free(large);
}

static int live_as_child(void *argument) {
    (void)argument;
    for (int block_idx = 0; block_idx < inherited_blocks; ++block_idx)
        free(inherited[block_idx]);
    allocate(1001);
    return 0;
}

// By an instruction of its own: no function of the C library, and so none of the recorder's.
static long raw_clone(void) {
    long result;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(SIGCHLD), "S"(0), "d"(0), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static int wait_for(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 50;
    return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

// A daemon and its grandparent are tied by a pipe, which closes when the daemon has ended.
static int start_daemon(int by_library) {
    int ends[2];
    if (pipe(ends) != 0)
        return 51;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (by_library) {
            if (daemon(1, 1) != 0)
                _exit(52);
        } else {
            setsid();
            if (fork() != 0)
                _exit(0);
        }
        exit(live_as_child(NULL));
    }
    close(ends[1]);
    allocate(2002);
    char byte;
    while (read(ends[0], &byte, 1) > 0)
        ;
    return wait_for(child);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    for (int block_idx = 0; block_idx < inherited_blocks; ++block_idx)
        inherited[block_idx] = malloc(77);
    allocate(2002);
    if (strcmp(mode, "daemon") == 0)
        return start_daemon(1);
    if (strcmp(mode, "double_fork") == 0)
        return start_daemon(0);
    if (strcmp(mode, "system") == 0)
        return system(argv[2]);
    if (strcmp(mode, "popen") == 0) {
        char line[256];
        FILE *output = popen(argv[2], "r");
        while (output != NULL && fgets(line, sizeof line, output) != NULL)
            allocate(2002);
        return output == NULL ? 53 : pclose(output);
    }
    pid_t child = -1;
    if (strcmp(mode, "fork") == 0)
        child = fork();
    if (strcmp(mode, "raw") == 0)
        child = (pid_t)raw_clone();
    if (strcmp(mode, "syscall") == 0)
        child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (strcmp(mode, "clone") == 0)
        child = clone(live_as_child, stack + sizeof stack, SIGCHLD, NULL);
    if (child == 0)
        exit(live_as_child(NULL));
    allocate(2002);
    return wait_for(child);
}
