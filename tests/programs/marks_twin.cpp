// SPDX-License-Identifier: MIT
// Says in C++ what marks.c says in C.

#include <alloclab/marker.h>

#include <cerrno>
#include <cstdlib>

extern "C" int marks_run();

static void load(void* volatile& block) {
    alloclab::Phase phase("load");
    alloclab::Tag outer("textures");
    alloclab::Tag inner("mipmaps");
    block = std::malloc(100);
}

static void serve(void* block) {
    alloclab::Request request("/index");
    alloclab::Task task;
    alloclab_transfer(block, request.number());
    alloclab_reset(task.number());
    alloclab_reset(0);
}

extern "C" int marks_run() {
    errno = 77;
    void* volatile block = nullptr;
    load(block);
    serve(block);
    alloclab_scope_exit(0);
    { alloclab::Frame frame("first"); }
    alloclab_frame_end("second");
    alloclab_frame_end(nullptr);
    alloclab_turn_end(nullptr);
    alloclab_tick_end("one");
    { alloclab::Turn turn("mine"); }
    { alloclab::Tick tick("mine"); }
    alloclab_mark_here("loaded");
    alloclab_reference(block, 3, nullptr);
    alloclab_root_push(block);
    alloclab_root_set(0, nullptr);
    alloclab_root_pop(1);
    std::free(block);
    if (errno != 77)
        return 1;
    return alloclab_is_recorded() == (std::getenv("MARKS_RECORDED") != nullptr) ? 0 : 2;
}

#ifndef MARKS_LIBRARY
int main() {
    return marks_run();
}
#endif
