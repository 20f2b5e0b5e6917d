// SPDX-License-Identifier: MIT
#include <alloclab/record/recorder.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/append.hpp>
#include <alloclab/record/due.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/residence.hpp>
#include <alloclab/record/static_memory.hpp>

#include <ctime>

namespace alloclab::record {

using namespace capture;

namespace {

constexpr unsigned most_coded_bytes = 1 + 9 + 8;

// Appends a code, a size if it has one, and the address as a delta against the lane's last one.
void append_coded(LaneHold& hold, Code code, const std::uint64_t* size, const void* p) {
    if (!hold.make_room(most_coded_bytes))
        return;
    Lane& lane = *hold;
    EventBytes event(code);
    if (size != nullptr)
        event.put(*size);
    event.put(granule_delta(granule_of(p), lane.last_granule));
    hold.append(event);
    lane.last_granule = granule_of(p);
}

bool has_short_delta(const void* p) {
    return is_granule(p) && granule_of(p) < short_delta_max / 2;
}

void append_residence(Code code, const void* p, const Residence& residence) {
    append_event(EventBytes(code)
                     .put(p)
                     .put(residence.pages)
                     .put(residence.resident_pages)
                     .put(residence.is_prefix));
}

void append_touched(Code code, const void* p, std::size_t size) {
    append_residence(code, p, residence_of(p, size));
}

void begin_large_block(void* p, std::size_t size) {
    if (!track_block(p, size)) {
        __atomic_fetch_add(&process.header->untracked_blocks, 1, __ATOMIC_RELAXED);
        return;
    }
    append_touched(Code::touched_birth, p, size);
}

// Before a large block may die. Returns its size, zero when it is not one.
std::size_t end_large_block(void* p) {
    const std::size_t size = may_be_tracked(p) ? untrack_block(p) : 0;
    if (size != 0)
        append_touched(Code::touched_death, p, size);
    return size;
}

bool is_recording() { return process.phase == Phase::active; }

// The size of the large block that this thread is reallocating.
__thread std::size_t reallocated_bytes __attribute__((tls_model("initial-exec")));

} // namespace

void record_allocation(Call call, void* p, std::size_t size, std::size_t alignment) {
    {
        LaneHold hold;
        if (!hold)
            return;
        const std::uint64_t size_field = size;
        const bool is_coded = alignment == 0 && has_short_delta(p);
        if (is_coded && call == Call::malloc)
            append_coded(hold, Code::malloc_sized, &size_field, p);
        else if (is_coded && call == Call::calloc)
            append_coded(hold, Code::calloc_sized, &size_field, p);
        else if (is_coded && call == Call::realloc)
            append_coded(hold, Code::realloc_new, &size_field, p);
        else {
            EventBytes event(Code::allocate_any);
            event.put(static_cast<std::uint64_t>(call)).put(size).put(alignment).put(p);
            if (hold.make_room(event.count()))
                hold.append(event);
        }
        if (p != nullptr)
            note_allocated(size);
    }
    if (size >= large_block_bytes && p != nullptr && is_recording())
        begin_large_block(p, size);
}

void record_free(void* p) {
    end_large_block(p);
    LaneHold hold;
    if (!hold)
        return;
    if (!has_short_delta(p)) {
        EventBytes event(Code::free_any);
        event.put(p);
        if (hold.make_room(event.count()))
            hold.append(event);
        return;
    }
    if (!hold.make_room(sizeof(Word::bits)))
        return;
    Lane& lane = *hold;
    const Word word = free_word(granule_delta(granule_of(p), lane.last_granule));
    unsigned char bytes[sizeof word.bits];
    std::memcpy(bytes, &word.bits, sizeof bytes);
    hold.append(bytes, word.bytes);
    lane.last_granule = granule_of(p);
}

void record_free_null() { append_event(EventBytes(Code::free_null)); }

void record_realloc_begin(void* p) {
    reallocated_bytes = end_large_block(p);
    LaneHold hold;
    if (!hold)
        return;
    if (has_short_delta(p)) {
        append_coded(hold, Code::realloc_begin, nullptr, p);
        return;
    }
    EventBytes event(Code::realloc_begin_any);
    event.put(p);
    if (hold.make_room(event.count()))
        hold.append(event);
}

void record_realloc_end(void* p, std::size_t size, void* old) {
    {
        LaneHold hold;
        if (!hold)
            return;
        const std::uint64_t size_field = size;
        if (p != nullptr && has_short_delta(p)) {
            append_coded(hold, Code::realloc_end, &size_field, p);
        } else {
            EventBytes event(Code::realloc_end_any);
            event.put(size).put(p);
            if (hold.make_room(event.count()))
                hold.append(event);
        }
        if (p != nullptr)
            note_allocated(size);
    }
    if (!is_recording())
        return;
    if (p != nullptr && size >= large_block_bytes)
        begin_large_block(p, size);
    else if (p == nullptr && size != 0 && reallocated_bytes != 0)
        begin_large_block(old, reallocated_bytes); // it failed: the old block lives on
}

void record_map(void* p, std::size_t size, bool is_reserved, bool is_populated) {
    append_event(EventBytes(Code::map).put(p).put(size).put(is_reserved));
    if (!is_recording())
        return;
    track_region(p, size);
    if (is_populated)
        append_touched(Code::touched_birth, p, size);
    else // nothing of it is resident yet: no need to ask, however large it is
        append_residence(Code::touched_birth, p, {size / page_bytes, 0, true});
    note_allocated(size);
}

void record_unmap(void* p, std::size_t size) {
    bool has_parts = false;
    auto at = reinterpret_cast<std::uintptr_t>(p);
    const std::uintptr_t end = at + size;
    while (at < end) {
        const Range part = tracked_part(reinterpret_cast<void*>(at), end - at);
        if (part.size == 0)
            break;
        has_parts = true;
        append_touched(Code::touched_death, part.p, part.size);
        at = reinterpret_cast<std::uintptr_t>(part.p) + part.size;
    }
    if (!has_parts)
        return; // nothing of it is a region the capture knows
    untrack_region(p, size);
    append_event(EventBytes(Code::unmap).put(p).put(size));
}

void record_remap(void* p, std::size_t size, void* old, std::size_t old_size) {
    untrack_region(old, old_size);
    append_event(EventBytes(Code::remap).put(p).put(size).put(old).put(old_size));
    if (!is_recording())
        return;
    track_region(p, size);
    append_touched(Code::touched_birth, p, size);
}

bool is_tracked_region(void* p, std::size_t size) { return tracked_part(p, size).size != 0; }

void record_discard(void* p, std::size_t size) {
    if (is_tracked_region(p, size))
        append_event(EventBytes(Code::discard).put(p).put(size));
}

int record_image(ImageKind kind, std::uint32_t process_id, const char* path) {
    if (!ensure_capture())
        return -1;
    const std::uint32_t slot =
        __atomic_fetch_add(&process.header->image_count, 1, __ATOMIC_RELAXED);
    if (slot >= image_capacity)
        return -1;
    auto* const images = reinterpret_cast<Image*>(reinterpret_cast<char*>(process.header) +
                                                  images_offset);
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
    auto* const images = reinterpret_cast<Image*>(reinterpret_cast<char*>(process.header) +
                                                  images_offset);
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
    forget_footprint();
    leave_window(thread_lanes.own);
    leave_window(thread_lanes.signal);
    thread_lanes.is_sample_due = false;
}

void expect_threads() {
    process.has_threads = true;
    thread_lanes.own.limit = nullptr;
}

void finish_thread() {
    LaneHold hold;
    if (!hold)
        return;
    thread_lanes.has_exited = true;
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
