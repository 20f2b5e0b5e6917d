// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace alloclab {

// Where blocks stood and when: a row a block, in the order of their births, at most one an event. A
// block resized is a new row. All columns are equally long.
struct BlockColumns {
    static constexpr std::int64_t refused = -1; // in `offset`: asked for, not given
    static constexpr std::int64_t alive = -1;   // in `death`

    std::span<const std::int64_t> offset;     // from the start of the address space, bytes
    std::span<const std::int64_t> size;       // asked for, bytes
    std::span<const std::int64_t> block_size; // given, bytes
    std::span<const std::int64_t> birth;      // event
    std::span<const std::int64_t> death;      // event, or alive
};

// Two rows of which both were given the same byte at the same time: the later, and one before it.
struct Overlap {
    std::uint64_t row = 0;
    std::uint64_t other = 0;
};

// The address space after one event. The extent is the end of the highest live block.
struct PlacementSample {
    std::uint64_t event = 0;
    std::uint64_t requested_live_bytes = 0;
    std::uint64_t block_live_bytes = 0;
    std::uint64_t extent_bytes = 0;
    std::uint64_t largest_free_run_bytes = 0; // of what is free below the extent
    std::uint64_t allocated_bytes = 0;        // asked for so far, resizes by their growth
};

// What a placement adds up to, bytes and event indices; docs/simulate.md defines each.
struct PlacementFigures {
    std::optional<Overlap> overlap; // where there is one, nothing else holds
    std::uint64_t refused_blocks = 0;
    std::uint64_t refused_bytes = 0;
    std::uint64_t block_bytes_total = 0;
    std::uint64_t peak_requested_live_bytes = 0;
    std::uint64_t peak_requested_event = 0;
    std::uint64_t block_live_bytes_at_peak_requested = 0;
    std::uint64_t extent_bytes_at_peak_requested = 0;
    std::uint64_t peak_block_live_bytes = 0;
    // The extent at its highest; of the events where it is, that where most is live.
    PlacementSample high_water;
    double mean_extent_ratio = 0; // extent over requested live, averaged over bytes asked for
    std::vector<PlacementSample> samples;
};

struct PlacementOptions {
    std::uint64_t events = 0; // how many there are; births and deaths lie below
    // Whether a block that a realloc moves may stand where the old one stood. No simulated
    // allocator may, which is asked for the new block while the old one lives.
    bool may_move_onto_itself = false;
    std::span<const std::int64_t> sample_events; // rising
};

// Finds the first block that overlaps a live one, and otherwise how the address space was used.
// Throws: Error for rows that are no placement: births out of order, a death before its birth, an
// offset or a size out of range.
// Cost: some 30 ns a row: a radix sort of the offsets, then one sweep over the events with the live
// blocks in a RankSet; and the live blocks once a sample.
PlacementFigures judge_placement(const BlockColumns& blocks, const PlacementOptions& options);

} // namespace alloclab
