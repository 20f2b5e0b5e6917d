// SPDX-License-Identifier: MIT
#include <alloclab/record/append.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/due.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/recorder.hpp>

namespace alloclab::record {

using namespace capture;

namespace {

constexpr unsigned event_clock_bytes = 9;

// Returns whether this is the thread's first event in the capture.
bool register_thread() {
    ThreadLanes& lanes = thread_lanes;
    if (lanes.is_registered && lanes.generation == process.generation)
        return false;
    lanes.thread = __atomic_fetch_add(&process.header->thread_count, 1, __ATOMIC_RELAXED);
    lanes.generation = process.generation;
    lanes.is_registered = true;
    if (lanes.thread == 0) {
        lanes.is_sample_due = true;
        process.first_lane = &lanes.own;
    } else {
        lanes.is_exit_hook_due = true;
        process.has_threads = true;
        // The first thread learns of it at its next event, at the latest at its next block.
        if (process.first_lane != nullptr)
            __atomic_store_n(&process.first_lane->limit, nullptr, __ATOMIC_RELAXED);
    }
    return true;
}

} // namespace

bool append_timed(Lane& lane, std::uint64_t granule, const Word& word) {
    const std::uint64_t ticks = read_clock();
    const std::uint64_t steps =
        ticks > lane.last_ticks ? (ticks - lane.last_ticks) >> event_clock_shift : 0;
    constexpr unsigned most_bytes = sizeof word.bits;
    if (word.bytes >= most_bytes || steps >> (7 * (most_bytes - word.bytes)) != 0)
        return false;
    const Word clock = varint_word(steps);
    const std::uint64_t bits = word.bits | clock.bits << (8 * word.bytes);
    std::memcpy(lane.cursor, &bits, sizeof bits);
    lane.last_ticks += steps << event_clock_shift;
    lane.last_granule = granule;
    lane.cursor += word.bytes + clock.bytes;
    return true;
}

namespace {

struct MappedPages {
    void* p;
    std::size_t bytes;
};

MappedPages pages_of(const Lane& lane) {
    const auto first = reinterpret_cast<std::uintptr_t>(lane.window) & ~(page_bytes - 1);
    return {reinterpret_cast<void*>(first), reinterpret_cast<std::uintptr_t>(lane.map_end) - first};
}

void forget_window(Lane& lane) {
    if (lane.window != nullptr)
        unmap_memory(pages_of(lane).p, pages_of(lane).bytes);
    const bool is_busy = lane.is_busy;
    lane = Lane{};
    lane.is_busy = is_busy;
}

// What was being written when the handler interrupted it went nowhere.
void forget_stale_window(Lane& lane) {
    if (__builtin_expect(!lane.is_stale, true))
        return;
    forget_window(lane);
    count_lost_event();
}

} // namespace

void leave_window(Lane& lane) {
    if (!lane.is_busy)
        return forget_window(lane);
    // The interrupted code will go on storing: into memory of the child's own, until it is through.
    if (lane.window != nullptr)
        cover_with_zeros(pages_of(lane).p, pages_of(lane).bytes);
    lane.limit = lane.timed_limit = nullptr;
    lane.is_stale = true;
}

LaneHold::LaneHold() : lane_(nullptr) {
    if (__builtin_expect(is_unnoticed_child(), false))
        enter_forked_child();
    ThreadLanes& lanes = thread_lanes;
    Lane* const lane = !lanes.own.is_busy ? &lanes.own : &lanes.signal;
    if (lane->is_busy) {
        count_lost_event();
        return;
    }
    lane->is_busy = true;
    compiler_barrier();
    if (!ensure_capture()) {
        count_lost_event();
        lane->is_busy = false;
        return;
    }
    forget_stale_window(*lane);
    lane_ = lane;
    if (register_thread() && has_inherited_marks())
        tell_inherited_marks(*this);
}

LaneHold::~LaneHold() {
    if (lane_ == nullptr)
        return;
    forget_stale_window(*lane_);
    if (thread_lanes.has_exited && lane_->window != nullptr) {
        shorten_window(*lane_, 0);
        close_window(*lane_);
    }
    compiler_barrier();
    lane_->is_busy = false;
    if (thread_lanes.is_sample_due || thread_lanes.is_control_due || thread_lanes.is_exit_hook_due)
        do_what_is_due();
}

bool LaneHold::make_room(unsigned bytes) {
    Lane& lane = *lane_;
    const std::uint32_t lane_idx = lane_ == &thread_lanes.own ? 0 : 1;
    const bool is_mode_right = lane.is_timed == (process.has_threads || lane_idx != 0);
    const unsigned needed = bytes + (lane.is_timed ? event_clock_bytes : 0);
    if (lane.window != nullptr && is_mode_right && lane.cursor + needed <= lane.block_end)
        return true;
    if (lane.window != nullptr && begin_block(lane)) {
        note_block(lane.last_ticks);
        return true;
    }
    if (lane.window != nullptr)
        close_window(lane);
    if (!open_window(lane, thread_lanes.thread, lane_idx) || !begin_block(lane)) {
        count_lost_event();
        return false;
    }
    note_block(lane.last_ticks);
    return true;
}

void LaneHold::append(const unsigned char* bytes, unsigned count) {
    Lane& lane = *lane_;
    unsigned char* const cursor = lane.cursor;
    unsigned total = count;
    if (lane.is_timed) {
        const std::uint64_t ticks = read_clock();
        const std::uint64_t steps =
            ticks > lane.last_ticks ? (ticks - lane.last_ticks) >> event_clock_shift : 0;
        lane.last_ticks += steps << event_clock_shift;
        total += put_varint(cursor + count, steps);
    }
    std::memcpy(cursor + 1, bytes + 1, count - 1);
    compiler_barrier();
    *static_cast<volatile unsigned char*>(cursor) = bytes[0];
    lane.cursor = cursor + total;
}

void append_event(const EventBytes& event) {
    LaneHold hold;
    if (hold && hold.make_room(event.count()))
        hold.append(event);
}

} // namespace alloclab::record
