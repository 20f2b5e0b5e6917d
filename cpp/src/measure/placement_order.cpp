// SPDX-License-Identifier: MIT
#include "placement_order.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace alloclab {

namespace {

// Half of what a signed offset holds, so that no end of a block overflows.
constexpr std::int64_t offset_limit = std::int64_t{1} << 62;

struct KeyedRow {
    std::uint64_t key;
    std::uint32_t row;
};

// Sorts by key, least significant digit first, keeping the order of equal keys. Eleven bits a
// digit: the counters stay in the first-level cache.
void radix_sort(std::vector<KeyedRow>& rows, std::uint64_t largest_key) {
    constexpr unsigned digit_bits = 11;
    constexpr std::uint64_t mask = (1u << digit_bits) - 1;
    std::vector<KeyedRow> sorted(rows.size());
    for (unsigned shift = 0; shift < 64 && largest_key >> shift != 0; shift += digit_bits) {
        std::array<std::size_t, (1u << digit_bits) + 1> first{};
        for (const KeyedRow& each : rows) {
            ++first[(each.key >> shift & mask) + 1];
        }
        for (std::size_t digit = 1; digit < first.size(); ++digit) {
            first[digit] += first[digit - 1];
        }
        for (const KeyedRow& each : rows) {
            sorted[first[each.key >> shift & mask]++] = each;
        }
        rows.swap(sorted);
    }
}

[[noreturn]] void fail(std::size_t row, const char* what, std::int64_t value) {
    throw Error("placement: row " + std::to_string(row) + ": " + what + " " +
                std::to_string(value));
}

} // namespace

void check_rows(const BlockColumns& blocks, const PlacementOptions& options) {
    const std::size_t rows = blocks.offset.size();
    if (blocks.size.size() != rows || blocks.block_size.size() != rows ||
        blocks.birth.size() != rows || blocks.death.size() != rows) {
        throw Error("placement: columns of different lengths");
    }
    constexpr auto most = std::numeric_limits<std::uint32_t>::max();
    if (rows >= most || options.events >= most) {
        throw Error("placement: more than 4294967294 rows or events: " + std::to_string(rows) +
                    " and " + std::to_string(options.events));
    }
    const auto events = static_cast<std::int64_t>(options.events);
    std::int64_t born = -1;
    for (std::size_t row = 0; row < rows; ++row) {
        const std::int64_t offset = blocks.offset[row];
        const bool is_refused = offset == BlockColumns::refused;
        if (!is_refused && (offset < 0 || offset > offset_limit)) {
            fail(row, "an offset of", offset);
        }
        if (blocks.size[row] < 0 || blocks.size[row] > offset_limit) {
            fail(row, "a size of", blocks.size[row]);
        }
        if (blocks.block_size[row] < (is_refused ? 0 : 1) ||
            blocks.block_size[row] > offset_limit) {
            fail(row, "a block of", blocks.block_size[row]);
        }
        if (blocks.birth[row] <= born || blocks.birth[row] >= events) {
            fail(row, "born out of order, at event", blocks.birth[row]);
        }
        born = blocks.birth[row];
        if (blocks.death[row] != BlockColumns::alive &&
            (blocks.death[row] <= born || blocks.death[row] >= events)) {
            fail(row, "dies before its birth or after the end, at event", blocks.death[row]);
        }
    }
}

OffsetRanks rank_offsets(std::span<const std::int64_t> offsets) {
    OffsetRanks ranks;
    ranks.of_row.resize(offsets.size());
    std::vector<KeyedRow> rows;
    if (std::is_sorted(offsets.begin(), offsets.end())) {
        for (std::size_t row = 0; row < offsets.size(); ++row) {
            if (offsets[row] == BlockColumns::refused) {
                continue;
            }
            if (ranks.start.empty() || ranks.start.back() != offsets[row]) {
                ranks.start.push_back(offsets[row]);
            }
            ranks.of_row[row] = static_cast<std::uint32_t>(ranks.start.size() - 1);
        }
        return ranks;
    }
    rows.reserve(offsets.size());
    std::uint64_t largest = 0;
    for (std::size_t row = 0; row < offsets.size(); ++row) {
        if (offsets[row] != BlockColumns::refused) {
            const auto key = static_cast<std::uint64_t>(offsets[row]);
            rows.push_back({key, static_cast<std::uint32_t>(row)});
            largest = std::max(largest, key);
        }
    }
    radix_sort(rows, largest);
    for (const KeyedRow& each : rows) {
        const auto offset = static_cast<std::int64_t>(each.key);
        if (ranks.start.empty() || ranks.start.back() != offset) {
            ranks.start.push_back(offset);
        }
        ranks.of_row[each.row] = static_cast<std::uint32_t>(ranks.start.size() - 1);
    }
    return ranks;
}

RowsByEvent::RowsByEvent(std::span<const std::int64_t> event_of_row, std::uint64_t events)
    : first_(events + 1) {
    std::size_t rows = 0;
    for (const std::int64_t event : event_of_row) {
        if (event >= 0) {
            ++first_[static_cast<std::size_t>(event) + 1];
            ++rows;
        }
    }
    for (std::size_t event = 0; event < events; ++event) {
        first_[event + 1] += first_[event];
    }
    rows_.resize(rows);
    // Each event's first place moves on as it is filled; from the back, so that it ends where the
    // event's rows begin.
    std::vector<std::uint32_t>& place = first_;
    for (std::size_t row = event_of_row.size(); row-- > 0;) {
        const std::int64_t event = event_of_row[row];
        if (event >= 0) {
            rows_[--place[static_cast<std::size_t>(event) + 1]] = static_cast<std::uint32_t>(row);
        }
    }
    // What was decremented stands one too far to the right now: shift it back.
    std::copy(place.begin() + 1, place.end(), place.begin());
    place.back() = static_cast<std::uint32_t>(rows);
}

} // namespace alloclab
