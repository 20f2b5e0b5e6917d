/* SPDX-License-Identifier: MIT */
/* Forks within scopes and under a tag, and forks again before the child has said anything. */

#include <alloclab/marker.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(uint64_t phase, uint64_t before) {
    void* volatile block = malloc(40);
    alloclab_restore_tag(before);
    alloclab_scope_exit(phase);
    alloclab_frame_end("child's");
    free(block);
    _exit(0);
}

int main(void) {
    alloclab_frame_end("parent's");
    uint64_t phase = alloclab_phase_enter("load");
    alloclab_tag("outer");
    uint64_t before = alloclab_tag("inner");
    pid_t first = fork();
    if (first == 0) {
        pid_t second = fork();
        if (second == 0)
            child(phase, before);
        waitpid(second, 0, 0);
        child(phase, before);
    }
    int status = 1;
    waitpid(first, &status, 0);
    alloclab_scope_exit(phase);
    return status;
}
