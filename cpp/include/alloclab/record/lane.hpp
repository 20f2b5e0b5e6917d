// SPDX-License-Identifier: MIT
#pragma once

// A lane is where one thread writes its events: a cursor into a window of the capture file. Every
// thread has two, the second for signal handlers that interrupt the recorder itself.

#include <alloclab/base/bits.hpp>
#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/fork_page.hpp>
#include <alloclab/record/varint.hpp>

#include <cstdint>
#include <cstring>

namespace alloclab::record {

// Invariant: while open, window <= cursor <= window_end, and every byte from the cursor to the end
// of its block is zero, so that a reader finds the end whenever the process dies.
struct Lane {
    unsigned char* cursor;
    unsigned char* limit; // events of at most eight bytes may start below it; null: go the slow way
    unsigned char* timed_limit; // the same where each event carries a clock; null: it does not
    std::uint64_t last_granule; // address / 16 of the last delta-coded event
    volatile bool is_busy;      // a signal handler that finds it set takes the other lane
    bool is_timed;              // each event carries a clock
    bool is_stale; // in a child forked by a handler that interrupted the recorder: the parent's
    unsigned char* block_end;
    unsigned char* window;
    unsigned char* window_end;
    unsigned char* map_end;    // beyond window_end once the window was shortened
    std::uint64_t file_offset; // of the window
    std::uint64_t last_ticks;  // of the last clock written
    std::uint32_t sequence;    // of the next window
};

struct ThreadLanes {
    Lane own;
    Lane signal;
    std::uint32_t thread;
    std::uint32_t generation; // of the process that counted this thread; a fork is a new one
    bool is_registered;
    bool is_sample_due;
    bool is_control_due;
    bool is_exit_hook_due;
    bool has_exited;                // late events get a window each, closed at once
    bool is_doing_due;              // what falls due while doing it waits
    std::uint32_t blocks_to_sample; // footprints are taken every so many blocks
    std::uint32_t exit_rounds;
    std::uint64_t unsampled_bytes; // allocated since the last footprint, larger blocks only
    std::uint32_t site;            // of the allocation that is about to be recorded; 0: none
    volatile bool is_finding_site; // a signal handler that finds it set allocates without a site
};

// One to a thread. The preload library is built with the initial-exec model: a single instruction
// reaches it, and touching it never allocates. What a running program loads must not be: the
// loader's room for such variables is less than two kilobytes for all libraries together.
extern __thread ThreadLanes thread_lanes;

inline void compiler_barrier() {
    asm volatile("" ::: "memory");
}

inline std::uint64_t granule_of(const void* p) {
    return reinterpret_cast<std::uintptr_t>(p) >> 4;
}

inline bool is_granule(const void* p) {
    return (reinterpret_cast<std::uintptr_t>(p) & 15) == 0;
}

inline std::uint64_t granule_delta(std::uint64_t granule, std::uint64_t last_granule) {
    return zigzag_encode(static_cast<std::int64_t>(granule - last_granule));
}

// Stores the word and the clock behind it, if the two fit in eight bytes. Returns whether they did.
// Requires: the lane is busy, and its cursor below its timed_limit.
bool append_timed(Lane& lane, std::uint64_t granule, const capture::Word& word);

// Runs `encode(delta)` and stores the word it returns, if the lane is at rest and has room and the
// delta is no larger than such a word can hold.
// Returns whether it was. The zero bytes above the word keep the lane's invariant.
template <std::uint64_t delta_max = capture::short_delta_max, class Encode>
inline bool append_short(std::uint64_t granule, Encode encode) {
    Lane& lane = thread_lanes.own;
    if (__builtin_expect(lane.is_busy || !fork_page.is_ours, false))
        return false;
    lane.is_busy = true;
    compiler_barrier();
    unsigned char* const cursor = lane.cursor;
    const std::uint64_t delta = granule_delta(granule, lane.last_granule);
    const bool has_room = cursor < lane.limit && delta <= delta_max;
    if (__builtin_expect(has_room, true)) {
        const capture::Word word = encode(delta);
        std::memcpy(cursor, &word.bits, sizeof word.bits);
        lane.last_granule = granule;
        lane.cursor = cursor + word.bytes;
    }
    const bool is_appended = has_room || (cursor < lane.timed_limit && delta <= delta_max &&
                                          append_timed(lane, granule, encode(delta)));
    compiler_barrier();
    lane.is_busy = false;
    return is_appended;
}

// The same with the event of a site in front of it, where `site` is one; both or neither. On
// success `site` is cleared. While both are appended a signal handler takes the other lane, so that
// none comes between them.
template <std::uint64_t delta_max = capture::short_delta_max, class Encode>
inline bool append_short_at(std::uint32_t& site, std::uint64_t granule, Encode encode) {
    Lane& lane = thread_lanes.own;
    if (site == 0 || __builtin_expect(lane.is_busy || !fork_page.is_ours, false))
        return site == 0 && append_short<delta_max>(granule, encode);
    lane.is_busy = true;
    compiler_barrier();
    unsigned char* const cursor = lane.cursor;
    const capture::Word place = capture::varint_word(site);
    const std::uint64_t bits = place.bits << 8 | static_cast<std::uint64_t>(capture::Code::site)
                                                     << 1;
    const unsigned bytes = 1 + place.bytes;
    const std::uint64_t delta = granule_delta(granule, lane.last_granule);
    bool is_appended = false;
    if (delta <= delta_max && cursor + bytes < lane.limit) {
        const capture::Word word = encode(delta);
        std::memcpy(cursor, &bits, sizeof bits);
        std::memcpy(cursor + bytes, &word.bits, sizeof word.bits);
        lane.last_granule = granule;
        lane.cursor = cursor + bytes + word.bytes;
        is_appended = true;
    } else if (delta <= delta_max && cursor + bytes + 1 < lane.timed_limit) {
        constexpr std::uint64_t at_once = 1; // no steps of the clock since the event before
        const std::uint64_t timed_bits = bits | at_once << (8 * bytes);
        std::memcpy(cursor, &timed_bits, sizeof timed_bits);
        lane.cursor = cursor + bytes + 1;
        is_appended = append_timed(lane, granule, encode(delta));
        if (!is_appended)
            std::memset(lane.cursor = cursor, 0, sizeof timed_bits);
    }
    compiler_barrier();
    lane.is_busy = false;
    if (is_appended)
        site = 0;
    return is_appended;
}

// Appends an event that is a code and nothing else, as append_short() does.
inline bool append_code(capture::Code code) {
    Lane& lane = thread_lanes.own;
    if (__builtin_expect(lane.is_busy || !fork_page.is_ours, false))
        return false;
    lane.is_busy = true;
    compiler_barrier();
    unsigned char* const cursor = lane.cursor;
    const bool has_room = cursor < lane.limit;
    if (__builtin_expect(has_room, true)) {
        *cursor = static_cast<unsigned char>(static_cast<unsigned>(code) << 1);
        lane.cursor = cursor + 1;
    }
    compiler_barrier();
    lane.is_busy = false;
    return has_room;
}

// The word of a code byte and a delta.
inline capture::Word coded_delta(std::uint64_t code_byte, std::uint64_t delta) {
    const capture::Word word = capture::varint_word(delta);
    return {word.bits << 8 | code_byte, word.bytes + 1};
}

} // namespace alloclab::record
