// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/region.hpp>

#include <array>

namespace alloclab::pool {

// A free run is dirty when memory may stand behind it, clean when it is whole pages that have none.
enum class RunState : std::uint8_t { clean, dirty };

// The runs of units that are free, in lists by length: exact up to 63 units, then 8 lists a
// doubling. Neighbours of one state are joined, found by the tags at both ends of a free run:
//   tags[first] = tags[last] = length | dirty_flag, kinds[first] = kinds[last] = free_kind
// The links of a run stand in its unused tags, or, where it is too short for that, in the run.
// Not locked: the run heap is.
class FreeRuns {
public:
    // `end_unit` bounds what joins: units from there on were never used.
    void insert(Region& region, std::uint32_t unit, std::uint32_t count, RunState state,
                std::uint32_t end_unit) noexcept;

    // Takes `count` units from the best fitting run of a state, the lowest address where that is
    // cheap to know. Returns the first unit, or 0.
    std::uint32_t take(Region& region, std::uint32_t count, RunState state) noexcept;

    // Takes `count` units that start exactly at `unit`, if a free run begins there and is long
    // enough. Returns whether it is.
    bool take_at(Region& region, std::uint32_t unit, std::uint32_t count) noexcept;

    // The length of the free run that begins exactly at `unit`, or 0.
    std::uint32_t length_at(const Region& region, std::uint32_t unit) const noexcept {
        return free_tag(region, unit) & ~dirty_flag;
    }

    // Takes whole pages, about `wanted` units, out of the longest dirty runs. Returns their count
    // and the first of them; 0 when no dirty run holds a page.
    std::uint32_t take_dirty_pages(Region& region, std::size_t wanted,
                                   std::uint32_t& unit) noexcept;

    // Units in dirty runs long enough to hold a whole page wherever they start.
    std::size_t purgeable_units() const noexcept { return purgeable_units_; }

    // Checks every list against the tags. Returns the number of free units, or -1 on a mismatch.
    std::int64_t count_checked(const Region& region) const noexcept;

private:
    static constexpr std::uint32_t dirty_flag = 1U << 31;
    static constexpr std::uint32_t exact_lists = 64;
    static constexpr std::uint32_t list_count = exact_lists + 8 * 25;
    static constexpr std::uint32_t word_count = (list_count + 63) / 64;

    struct Links {
        std::uint32_t next;
        std::uint32_t previous;
    };
    struct Lists {
        std::array<std::uint32_t, list_count> heads{};
        std::array<std::uint64_t, word_count> nonempty{}; // a bit a list
    };

    static std::uint32_t list_of(std::uint32_t count) noexcept;
    static Links& links_of(Region& region, std::uint32_t unit) noexcept;
    static std::uint32_t free_tag(const Region& region, std::uint32_t unit) noexcept;
    Lists& lists(RunState state) noexcept { return lists_[static_cast<std::size_t>(state)]; }
    void link(Region& region, std::uint32_t unit, std::uint32_t count, RunState state) noexcept;
    void unlink(Region& region, std::uint32_t unit, std::uint32_t count, RunState state) noexcept;
    void link_rest(Region& region, std::uint32_t unit, std::uint32_t count,
                   RunState state) noexcept;
    std::uint32_t best_fit(Region& region, std::uint32_t count, RunState state) noexcept;

    std::array<Lists, 2> lists_{};
    std::size_t purgeable_units_ = 0;
};

} // namespace alloclab::pool
