// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace alloclab {

// How much of one large block or region the program touched. `event` is the event that gave it its
// size: an allocate, reallocate, map, split or remap. Rows are in the order of their events.
struct Touched {
    static constexpr std::uint64_t unknown = ~std::uint64_t{0};

    std::uint64_t event = 0;
    std::uint64_t pages = 0;                   // it spans, partly covered ones included
    std::uint64_t resident_at_birth = unknown; // pages
    std::uint64_t resident_at_death = unknown; // pages
    bool is_prefix = false;                    // those at death are one run from the start
};

} // namespace alloclab
