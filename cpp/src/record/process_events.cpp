// SPDX-License-Identifier: MIT
#include <alloclab/record/recorder.hpp>

#include <alloclab/record/append.hpp>
#include <alloclab/record/due.hpp>
#include <alloclab/record/edges.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/modules.hpp>
#include <alloclab/record/names.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/residence.hpp>
#include <alloclab/record/sites.hpp>
#include <alloclab/record/static_memory.hpp>
#include <alloclab/record/thread_stacks.hpp>
#include <alloclab/record/touched.hpp>
#include <alloclab/record/unwind_rules.hpp>

#include <ctime>

namespace alloclab::record {

using namespace capture;

int record_image(ImageKind kind, std::uint32_t process_id, const char* path) {
    if (!ensure_capture())
        return -1;
    const std::uint32_t slot =
        __atomic_fetch_add(&process.header->image_count, 1, __ATOMIC_RELAXED);
    if (slot >= image_capacity)
        return -1;
    auto* const images =
        reinterpret_cast<Image*>(reinterpret_cast<char*>(process.header) + images_offset);
    Image& image = images[slot];
    std::size_t length = 0;
    for (; path[length] != '\0' && length + 1 < image_path_bytes; ++length)
        image.path[length] = path[length];
    image.process_id = process_id;
    struct timespec now {};
    clock_gettime(CLOCK_REALTIME, &now);
    image.wall_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
                    static_cast<std::uint64_t>(now.tv_nsec);
    image.kind = kind;
    if (kind == ImageKind::fork)
        append_event(EventBytes(Code::fork).put(process_id));
    return static_cast<int>(slot);
}

void fail_image(int slot) {
    if (slot < 0)
        return;
    auto* const images =
        reinterpret_cast<Image*>(reinterpret_cast<char*>(process.header) + images_offset);
    images[slot].has_failed = 1;
}

void begin_capture() {
    LaneHold hold;
    if (hold)
        hold.make_room(1);
}

void finish_capture(StopReason reason) {
    if (!is_recording())
        return;
    if (reason == StopReason::exec || reason == StopReason::exit)
        note_last_epoch();
    if (reason == StopReason::exec)
        append_event(EventBytes(Code::exec).put(std::uint64_t{0}));
    std::size_t cursor = 0;
    for (Range range = next_tracked(cursor); range.size != 0; range = next_tracked(cursor))
        append_touched(Code::touched_death, range.p, range.size);
    sample_footprint();
    calibrate_clock();
    process.header->static_anonymous_bytes = static_anonymous_bytes();
    process.header->stop_reason = reason;
    process.header->is_complete = 1;
    if (reason == StopReason::duration || reason == StopReason::max_bytes)
        stop_recording(reason, 0);
}

void resume_capture() {
    if (!is_recording())
        return;
    process.header->is_complete = 0;
    process.header->stop_reason = StopReason::none;
}

void enter_forked_child() {
    forget_parent_capture();
    forget_tracked();
    forget_edges();
    forget_footprint();
    inherit_names();
    inherit_marks();
    forget_rules();
    keep_modules_in_child();
    forget_sites();
    leave_window(thread_lanes.own);
    leave_window(thread_lanes.signal);
    thread_lanes.is_sample_due = false;
}

void expect_threads() {
    if (is_unnoticed_child())
        enter_forked_child();
    process.has_threads = true;
    thread_lanes.own.limit = nullptr;
}

void finish_thread() {
    LaneHold hold;
    if (!hold)
        return;
    thread_lanes.has_exited = true;
    release_sites();
    forget_own_stack();
    Lane* const lanes[] = {&thread_lanes.own, &thread_lanes.signal};
    for (Lane* const lane : lanes) {
        if (lane->window == nullptr)
            continue;
        reinterpret_cast<WindowHeader*>(lane->window)->has_thread_exit = 1;
        shorten_window(*lane, 0);
        close_window(*lane);
    }
}

} // namespace alloclab::record
