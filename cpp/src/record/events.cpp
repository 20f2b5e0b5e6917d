// SPDX-License-Identifier: MIT
#include <alloclab/record/recorder.hpp>

#include <alloclab/record/append.hpp>
#include <alloclab/record/due.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/touched.hpp>

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

// Puts the site of the thread's allocation in front of it. Signal lanes have none.
void append_site(LaneHold& hold) {
    const std::uint32_t site = thread_lanes.site;
    if (__builtin_expect(site == 0, true) || &*hold != &thread_lanes.own)
        return;
    thread_lanes.site = 0;
    EventBytes event(Code::site);
    event.put(std::uint64_t{site});
    if (hold.make_room(event.count()))
        hold.append(event);
}

bool has_short_delta(const void* p) {
    return is_granule(p) && granule_of(p) < short_delta_max / 2;
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
    if (size != 0) {
        append_touched(Code::touched_death, p, size);
        note_large_end(size);
    }
    return size;
}

// The size of the large block that this thread is reallocating.
__thread std::size_t reallocated_bytes;

} // namespace

void record_allocation(Call call, void* p, std::size_t size, std::size_t alignment) {
    {
        LaneHold hold;
        if (!hold)
            return;
        append_site(hold);
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

void record_free_null() {
    append_event(EventBytes(Code::free_null));
}

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
        append_site(hold);
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

} // namespace alloclab::record
