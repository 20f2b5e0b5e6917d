// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace alloclab {

struct ArenaChunk;

// A point in an arena's life; only `Arena::mark` makes one that means something.
struct ArenaMark {
    ArenaChunk* chunk = nullptr;
    std::uintptr_t cursor = 0;
    std::size_t oversize_serial = 0; // of the next oversize chunk
    std::uint32_t epoch = 0;         // rewinds and resets the arena had seen
    std::uint32_t owner = 0;         // which arena
};

// Remembers how low an arena has been since each rewind, to tell the marks that were overtaken: a
// rewind below a mark, then new blocks above it, and the mark looks good but cuts a block in two.
// An entry is dropped when a later rewind went as low; what is left rises, and follows the nesting
// of the scopes. Sixteen levels are kept, the oldest forgotten first; a forgotten one is not found.
class ArenaMarkLog {
public:
    void note_rewind(std::uint32_t epoch, std::size_t chunk_serial,
                     std::uintptr_t cursor) noexcept {
        const Point point{epoch, chunk_serial, cursor};
        while (count_ != 0 && !lowest_[count_ - 1].is_below(chunk_serial, cursor)) {
            --count_;
        }
        if (count_ == lowest_.size()) {
            for (std::size_t point_idx = 1; point_idx < count_; ++point_idx) {
                lowest_[point_idx - 1] = lowest_[point_idx];
            }
            --count_;
        }
        lowest_[count_++] = point;
    }
    void clear() noexcept { count_ = 0; }

    // Whether the arena was below the point since the epoch began. Cost: O(16).
    bool is_overtaken(std::uint32_t epoch, std::size_t chunk_serial,
                      std::uintptr_t cursor) const noexcept {
        for (std::size_t point_idx = 0; point_idx < count_; ++point_idx) {
            const Point& point = lowest_[point_idx];
            if (point.epoch > epoch && point.is_below(chunk_serial, cursor)) {
                return true;
            }
        }
        return false;
    }

private:
    struct Point {
        std::uint32_t epoch;
        std::size_t chunk_serial;
        std::uintptr_t cursor;
        bool is_below(std::size_t other_serial, std::uintptr_t other_cursor) const noexcept {
            return chunk_serial != other_serial ? chunk_serial < other_serial
                                                : cursor < other_cursor;
        }
    };
    std::array<Point, 16> lowest_{};
    std::size_t count_ = 0;
};

// Where marks are not checked for being stale.
class NoArenaMarkLog {
public:
    void note_rewind(std::uint32_t, std::size_t, std::uintptr_t) noexcept {}
    void clear() noexcept {}
    bool is_overtaken(std::uint32_t, std::size_t, std::uintptr_t) const noexcept { return false; }
};

} // namespace alloclab
