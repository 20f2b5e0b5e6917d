// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/measure/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace alloclab {

// Throws: Error naming the row that no placement can have.
void check_rows(const BlockColumns& blocks, const PlacementOptions& options);

// The distinct offsets in rising order, and each row's place among them. Refused rows have none.
struct OffsetRanks {
    std::vector<std::int64_t> start;
    std::vector<std::uint32_t> of_row;
};

// Cost: O(rows) where offsets rise, as a bump allocator's do; else a radix sort.
OffsetRanks rank_offsets(std::span<const std::int64_t> offsets);

// The rows whose column names an event, by event: a counting sort.
class RowsByEvent {
public:
    // Requires: each entry is an event below `events`, or negative.
    RowsByEvent(std::span<const std::int64_t> event_of_row, std::uint64_t events);

    // In the order of their rows.
    std::span<const std::uint32_t> at(std::uint64_t event) const {
        return std::span(rows_).subspan(first_[event], first_[event + 1] - first_[event]);
    }

private:
    std::vector<std::uint32_t> first_;
    std::vector<std::uint32_t> rows_;
};

} // namespace alloclab
