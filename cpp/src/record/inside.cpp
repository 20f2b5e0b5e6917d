// SPDX-License-Identifier: MIT
#include <alloclab/record/inside.hpp>

#include <alloclab/record/append.hpp>
#include <alloclab/record/control.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/names.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/residence.hpp>
#include <alloclab/record/settings.hpp>

#include <cstring>

namespace alloclab::record {

using namespace capture;

namespace {

Settings kept;

// Between recordings nothing may open a capture, so the phase is never fresh.
void store_phase(Phase phase) {
    __atomic_store(&fork_page.phase, &phase, __ATOMIC_RELEASE);
}

} // namespace

bool read_settings() {
    return kept.directory[0] != '\0';
}

const Settings& settings() {
    return kept;
}

void adopt_thread() {
    leave_window(thread_lanes.own);
    leave_window(thread_lanes.signal);
    thread_lanes = ThreadLanes{};
    forget_marks();
}

bool begin_inside(const char* directory) {
    const std::size_t length = std::strlen(directory);
    if (length >= sizeof kept.directory)
        return false;
    std::memcpy(kept.directory, directory, length + 1);
    ++process.generation;
    process.forked_from = 0;
    process.first_lane = nullptr;
    process.mapped_window_bytes = 0;
    process.own_page_faults = 0;
    forget_tracked();
    inherit_names();
    adopt_thread();
    store_phase(Phase::fresh);
    expect_threads();
    begin_capture();
    process.first_lane = nullptr; // it knows of the others, and its thread may end before them
    if (is_recording())
        return true;
    store_phase(Phase::off);
    return false;
}

void finish_inside() {
    finish_capture(StopReason::duration);
}

void give_up_lanes(ThreadLanes& lanes) {
    Lane* const both[] = {&lanes.own, &lanes.signal};
    for (Lane* const lane : both)
        if (lane->window != nullptr)
            close_window(*lane);
    lanes = ThreadLanes{};
}

void close_inside() {
    if (const int fd = capture_descriptor(); fd >= 0)
        system_call(SYS_close, fd);
    process.fd = -1;
    unmap_memory(process.header, head_bytes);
    process.header = nullptr;
    close_control();
    forget_footprint();
    store_phase(Phase::off);
}

void forget_inside() {
    enter_forked_child();
    if (process.header != nullptr) // covered: nothing that was interrupted writes into it here
        unmap_memory(process.header, head_bytes);
    process.header = nullptr;
    close_control();
    store_phase(Phase::off);
}

} // namespace alloclab::record
