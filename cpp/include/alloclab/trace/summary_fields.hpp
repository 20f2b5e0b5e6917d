// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/summary.hpp>

#include <array>
#include <cstring>

namespace alloclab {

// The names of TraceSummary's fields, in its order: what Python, JSON and the documents call them.
inline constexpr std::array<const char*, summary_field_count> summary_field_names{
    "events",
    "objects",
    "allocations",
    "frees",
    "null_frees",
    "reallocations",
    "failed_calls",
    "zero_size_allocations",
    "aligned_allocations",
    "maps",
    "unmaps",
    "threads",
    "requested_total_bytes",
    "peak_requested_live_bytes",
    "peak_requested_event",
    "peak_mapped_live_bytes",
    "max_live_objects",
    "live_objects_at_end",
    "requested_live_bytes_at_end",
    "cross_thread_frees",
    "unknown_frees",
    "inversions",
    "lost_events",
    "is_complete",
    "duration_ns",
    "has_touched",
    "missed_frees",
    "scopes",
    "open_scopes_at_end",
    "unmatched_scope_exits",
    "cross_thread_scope_exits",
    "marks",
    "sites",
    "sited_calls",
    "tagged_calls",
    "references",
    "root_changes",
    "unresolved_references",
};

// Calls `visitor(name, value)` for each field in order.
template <class Visitor> void for_each_field(const TraceSummary& summary, Visitor&& visitor) {
    std::array<std::uint64_t, summary_field_count> values;
    std::memcpy(values.data(), &summary, sizeof summary);
    for (std::size_t index = 0; index < values.size(); ++index) {
        visitor(summary_field_names[index], values[index]);
    }
}

} // namespace alloclab
