// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab {

// What a whole trace adds up to. Kept in the footer in this very order; new fields go to the end.
struct TraceSummary {
    std::uint64_t events = 0;
    std::uint64_t objects = 0; // allocated blocks and mapped regions
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t null_frees = 0;
    std::uint64_t reallocations = 0;
    std::uint64_t failed_calls = 0;
    std::uint64_t zero_size_allocations = 0;
    std::uint64_t aligned_allocations = 0;
    std::uint64_t maps = 0;
    std::uint64_t unmaps = 0;
    std::uint64_t threads = 0;
    std::uint64_t requested_total_bytes =
        0; // over all allocations, reallocations by their new size
    std::uint64_t peak_requested_live_bytes = 0;
    std::uint64_t peak_requested_event = 0;
    std::uint64_t peak_mapped_live_bytes = 0;
    std::uint64_t max_live_objects = 0;
    std::uint64_t live_objects_at_end = 0;
    std::uint64_t requested_live_bytes_at_end = 0;
    std::uint64_t cross_thread_frees = 0;
    std::uint64_t unknown_frees = 0; // addresses no allocation was seen for
    std::uint64_t inversions = 0;    // repaired: an address handed out before its free was seen
    std::uint64_t lost_events = 0;   // said by the recorder
    std::uint64_t is_complete = 0;   // 1: the end of the program was seen
    std::uint64_t duration_ns = 0;
    std::uint64_t has_touched = 0;  // 1: the touched table was recorded
    std::uint64_t missed_frees = 0; // blocks whose address came back without a free seen
    std::uint64_t scopes = 0;       // entered
    std::uint64_t open_scopes_at_end = 0;
    std::uint64_t unmatched_scope_exits = 0;    // of scopes not open: closed twice, or unseen
    std::uint64_t cross_thread_scope_exits = 0; // by another thread than entered
    std::uint64_t marks = 0;
    std::uint64_t sites = 0;       // call stacks
    std::uint64_t sited_calls = 0; // allocations and reallocations with a known call stack
    std::uint64_t tagged_calls = 0;
    std::uint64_t references = 0;
    std::uint64_t root_changes = 0;
    std::uint64_t unresolved_references = 0; // holder, target or moved object unknown: left out
};

inline constexpr std::size_t summary_field_count = sizeof(TraceSummary) / sizeof(std::uint64_t);

} // namespace alloclab
