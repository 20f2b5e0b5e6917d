// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena_options.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace alloclab {

// An experiment about tables that grow item by item (rows R5, R57, R62, Q10, W36): what each way of
// growing copies, leaves behind and costs. `table_count` tables grow in turn, so that none is
// the arena's newest block when it has to grow; one table alone grows in place.
struct GrowthSetup {
    std::size_t item_bytes = 8;
    std::size_t item_count = 0; // in each table at the end
    std::size_t table_count = 1;
    std::size_t first_count = 16; // items the first array has room for
    double growth = 2.0;          // 0 makes the array one item longer each time
    // `mapped_above` moves a table from the heap to pages of its own from here on.
    std::size_t threshold_bytes = 0;
    ArenaOptions arena;
};

struct GrowthResult {
    std::size_t payload_bytes = 0;   // the items
    std::size_t capacity_bytes = 0;  // what the tables have at the end
    std::size_t allocated_bytes = 0; // all that was asked for over time
    std::size_t copied_bytes = 0;    // by the program; pages the kernel moves are not copied
    std::size_t used_bytes = 0;      // of the lifetime arena at the end; 0 without one
    std::size_t mapped_bytes = 0;    // from the system at the end
    std::size_t peak_mapped_bytes = 0;
    std::size_t allocation_count = 0;
    std::size_t moved_count = 0; // arrays that changed their address
    std::uint64_t build_ns = 0;
    bool is_counted = true; // false where malloc copies and maps: no counter sees it
};

// The ways to grow, in the order the documents discuss them.
//   realloc_platform   an array grown by the process's realloc
//   realloc_heap       the same in a heap whose pages are counted: Tlsf, keeping what is freed
//   realloc_arena      the same in an arena, which reclaims the newest block only
//   chunked            chunks that double, in an arena: nothing moves
//   presized           one array of the final length, in an arena
//   build_then_seal    grown in the counted heap, then copied to an arena as long as it is
//   mapped_above       grown in the counted heap, from `threshold_bytes` on by pages that move
std::span<const std::string_view> growth_strategies();

// Builds the tables once and counts. The tables' items are written, and read again at the end.
// Throws: Error for an unknown strategy, nothing to build, sizes whose product is above 2^40, a
// growth other than 0 that is not above 1, or memory that ran out.
GrowthResult measure_growth(std::string_view strategy, const GrowthSetup& setup);

} // namespace alloclab
