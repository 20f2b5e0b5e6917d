/* SPDX-License-Identifier: MIT */
/* Says all that alloclab/marker.h has words for. marks_twin.cpp says the same in C++. */

#include <alloclab/marker.h>

#include <errno.h>
#include <stdlib.h>

int marks_run(void);

int marks_run(void) {
    errno = 77;
    uint64_t phase = alloclab_phase_enter("load");
    uint64_t outer = alloclab_tag("textures");
    uint64_t inner = alloclab_tag("mipmaps");
    void* volatile block = malloc(100);
    alloclab_restore_tag(inner);
    alloclab_restore_tag(outer);
    alloclab_scope_exit(phase);

    uint64_t request = alloclab_request_enter("/index");
    uint64_t task = alloclab_task_enter(0);
    alloclab_transfer(block, request);
    alloclab_reset(task);
    alloclab_reset(0);
    alloclab_scope_exit(task);
    alloclab_scope_exit(request);
    alloclab_scope_exit(0);

    uint64_t frame = alloclab_frame_enter("first");
    alloclab_scope_exit(frame);
    alloclab_frame_end("second");
    alloclab_frame_end(0);
    alloclab_turn_end(0);
    alloclab_tick_end("one");
    alloclab_scope_exit(alloclab_turn_enter("mine"));
    alloclab_scope_exit(alloclab_tick_enter("mine"));

    alloclab_mark_here("loaded");
    alloclab_reference(block, 3, 0);
    alloclab_root_push(block);
    alloclab_root_set(0, 0);
    alloclab_root_pop(1);
    free(block);
    if (errno != 77)
        return 1;
    return alloclab_is_recorded() == (getenv("MARKS_RECORDED") != 0) ? 0 : 2;
}

#ifndef MARKS_LIBRARY
int main(void) {
    return marks_run();
}
#endif
