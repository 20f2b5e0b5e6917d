// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace alloclab {

// What an allocator was asked for and gave. Counts of calls end in `_ops`, sums of sizes as asked
// for in `_bytes`.
//   used_bytes = allocated_bytes - deallocated_bytes <= high_tide_bytes
// Aligned requests, above 16, are counted as allocations too.
struct StatsCounts : HeldStats {
    std::uint64_t owns_ops = 0;
    std::uint64_t allocate_ops = 0;
    std::uint64_t allocate_ok_ops = 0;
    std::uint64_t aligned_allocate_ops = 0;
    std::uint64_t aligned_allocate_ok_ops = 0;
    std::uint64_t resize_ops = 0; // those of reallocations not counted
    std::uint64_t resize_ok_ops = 0;
    std::uint64_t expand_ops = 0; // resizes that grow
    std::uint64_t expand_ok_ops = 0;
    std::uint64_t reallocate_ops = 0;
    std::uint64_t reallocate_ok_ops = 0;
    std::uint64_t reallocate_in_place_ops = 0;
    std::uint64_t deallocate_ops = 0; // of null not counted
    std::uint64_t reset_ops = 0;

    std::uint64_t used_bytes = 0;
    std::uint64_t high_tide_bytes = 0;
    std::uint64_t allocated_bytes = 0; // growth in place and the new block of a move included
    std::uint64_t deallocated_bytes = 0;
    std::uint64_t expanded_bytes = 0; // in place
    std::uint64_t contracted_bytes = 0;
    std::uint64_t moved_bytes = 0;     // old sizes of blocks a reallocation moved
    std::uint64_t not_moved_bytes = 0; // old sizes of blocks that kept their place
    // Usable less asked for, of live blocks; 0 where the allocator does not know what is usable.
    std::uint64_t slack_bytes = 0;

    // Calls the visitor for each count, not for what is held.
    void visit(StatVisitor visitor) const noexcept;

    void note_grown(std::uint64_t bytes) noexcept {
        used_bytes += bytes;
        allocated_bytes += bytes;
        high_tide_bytes = used_bytes > high_tide_bytes ? used_bytes : high_tide_bytes;
    }
    void note_shrunk(std::uint64_t bytes) noexcept {
        used_bytes -= bytes;
        deallocated_bytes += bytes;
    }
    void note_in_place(std::size_t old_size, std::size_t new_size) noexcept {
        not_moved_bytes += old_size;
        if (new_size >= old_size) {
            expanded_bytes += new_size - old_size;
            note_grown(new_size - old_size);
        } else {
            contracted_bytes += old_size - new_size;
            note_shrunk(old_size - new_size);
        }
    }
};

// How many allocations there were of each size, by powers of two.
class SizeHistogram {
public:
    static constexpr std::size_t class_count = 65;

    // Class 0 is size 0, class c the sizes from 2^(c-1) to 2^c - 1.
    static constexpr std::size_t class_of(std::size_t size) noexcept {
        return static_cast<std::size_t>(std::bit_width(size));
    }
    void add(std::size_t size) noexcept { ++counts_[class_of(size)]; }
    // Calls the visitor for each class that is not empty.
    void visit(StatVisitor visitor) const noexcept;
    std::uint64_t count(std::size_t class_idx) const noexcept { return counts_[class_idx]; }

private:
    std::array<std::uint64_t, class_count> counts_{};
};

} // namespace alloclab
