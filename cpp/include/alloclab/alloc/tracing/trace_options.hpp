// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

#ifdef NDEBUG
inline constexpr bool owner_is_checked_by_default = false;
#else
inline constexpr bool owner_is_checked_by_default = true;
#endif

struct TraceOptions {
    // Freed blocks that are remembered, to tell where a double free was freed first.
    std::size_t past_blocks = 2048;
    // Whether a reset fills what it ends, and whether that is looked at before it is used again.
    bool is_poisoning = true;
    // Whether a call from another thread than the one that made it is a defect.
    bool is_owner_checked = owner_is_checked_by_default;

    // Names: past_blocks (0 to 2^24), poison, check_owner. Returns false, and changes nothing, for
    // an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// Blocks that a reset ended count as freed.
struct TraceTotals {
    std::size_t total_allocated_bytes = 0;
    std::size_t total_freed_bytes = 0;
    std::size_t current_bytes = 0;
    std::size_t peak_bytes = 0;
    std::size_t allocation_count = 0;
    std::size_t free_count = 0;
    std::size_t failed_count = 0;
    std::size_t reset_count = 0;
    std::size_t defect_count = 0;
};

struct TraceStats : TraceTotals {
    std::size_t reserved_bytes = 0; // the wrapped allocator's and the tables
    std::size_t committed_bytes = 0;
    std::size_t metadata_bytes = 0; // the tables
};

} // namespace alloclab
