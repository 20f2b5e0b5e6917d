// SPDX-License-Identifier: MIT

// processes MODE [COMMAND...]: ways of starting and replacing processes. Each child of the program
// itself allocates a block of 1234 bytes, which the test looks for.

#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile block;
extern char **environ;

static void allocate_marked(void) {
    block = malloc(1234);
    free(block);
}

static int fork_and_allocate(void) {
    void *volatile inherited = malloc(77);
    pid_t child = fork();
    if (child == 0) {
        free(inherited);
        allocate_marked();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    free(inherited);
    return status;
}

// The child of a vfork lives in its parent's heap until it is replaced.
static int vfork_and_exec(char **command) {
    int status = 0;
    pid_t child = vfork();
    if (child == 0) {
        allocate_marked();
        execvp(command[0], command);
        _exit(9);
    }
    waitpid(child, &status, 0);
    allocate_marked();
    return status;
}

static int spawn(char **command) {
    char *none[] = {NULL};
    int status = 0;
    pid_t child = 0;
    if (posix_spawnp(&child, command[0], NULL, NULL, command, none) != 0)
        return 8;
    waitpid(child, &status, 0);
    return status;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    char **command = argv + 2;
    char *none[] = {NULL};
    if (strcmp(mode, "fork") == 0)
        return fork_and_allocate();
    if (strcmp(mode, "vfork") == 0)
        return vfork_and_exec(command);
    if (strcmp(mode, "spawn") == 0)
        return spawn(command);
    allocate_marked();
    if (strcmp(mode, "exec") == 0)
        execvp(command[0], command);
    if (strcmp(mode, "exec_empty") == 0)
        execve(command[0], command, none);
    if (strcmp(mode, "exec_cleared") == 0) {
        clearenv();
        execl(command[0], command[0], command[1], (char *)NULL);
    }
    if (strcmp(mode, "exec_fails") == 0) {
        execl("/nonexistent/program", "program", (char *)NULL);
        int is_right = errno == ENOENT;
        allocate_marked();
        return is_right ? 0 : 7;
    }
    return 6;
}
