// SPDX-License-Identifier: MIT
#pragma once

// Which large blocks and which mapped regions are alive, so that their touched pages can be counted
// when they die or when the program ends. Small blocks never get here: a filter of one load tells.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct Range {
    void* p;
    std::size_t size; // 0: none
};

// Counts of tracked blocks by two hashes of their address; saturated counts stay where they are.
// The first is small enough to stay in the cache; the second is looked at where that one says yes,
// and leaves one in some thousand frees of small blocks to be looked up in vain.
inline constexpr std::size_t filter_slots = 2048;
extern std::uint8_t block_filter[filter_slots];
extern std::uint8_t second_filter[filter_slots];

inline std::size_t filter_slot(const void* p) {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    return (address >> 4 ^ address >> 15) % filter_slots;
}

inline std::size_t second_slot(const void* p) {
    return (reinterpret_cast<std::uintptr_t>(p) >> 4) * 0x9e3779b97f4a7c15U >> 53;
}

// False: certainly not tracked.
inline bool may_be_tracked(const void* p) {
    return block_filter[filter_slot(p)] != 0 && second_filter[second_slot(p)] != 0;
}

// Returns false when the table is full; the block then has no touched events.
bool track_block(void* p, std::size_t size);
// Forgets the block at `p`. Returns its size, 0 when it is not one.
std::size_t untrack_block(void* p);
// Makes may_be_tracked() true for `p` for good: the slow path then decides.
void mark_in_filter(const void* p);

void track_region(void* p, std::size_t size);
// Forgets what lies within the range, cutting regions where it must.
void untrack_region(void* p, std::size_t size);
// The next part of a tracked region within the range. Returns size 0 when there is none.
Range tracked_part(void* p, std::size_t size);

// Walks what is alive: `cursor` begins at zero. Returns size 0 at the end.
Range next_tracked(std::size_t& cursor);

// For a forked child: the parent's tables are not its own.
void forget_tracked();

} // namespace alloclab::record
