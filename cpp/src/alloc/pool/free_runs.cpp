// SPDX-License-Identifier: MIT
#include <alloclab/alloc/pool/free_runs.hpp>

#include <algorithm>

namespace alloclab::pool {
namespace {

// A dirty run of this many units holds a whole page wherever it starts.
constexpr std::uint32_t purgeable_min_units = 2 * units_per_page - 1;

} // namespace

std::uint32_t FreeRuns::list_of(std::uint32_t count) noexcept {
    if (count < exact_lists) {
        return count;
    }
    const auto doubling = static_cast<std::uint32_t>(std::bit_width(count) - 1);
    return exact_lists + (doubling - 6) * 8 + ((count >> (doubling - 3)) & 7);
}

// Tags between the ends of a run are free for use from a length of 4 on; a shorter run is no whole
// page, hence dirty, and may hold its links itself.
FreeRuns::Links& FreeRuns::links_of(Region& region, std::uint32_t unit) noexcept {
    const bool is_long = (region.tags[unit] & ~dirty_flag) >= 4;
    return *(is_long ? reinterpret_cast<Links*>(region.tags + unit + 1)
                     : reinterpret_cast<Links*>(region.address_of(unit)));
}

// The tag of a unit at an end of a free run, else 0.
std::uint32_t FreeRuns::free_tag(const Region& region, std::uint32_t unit) noexcept {
    return region.kinds[unit] == free_kind ? region.tags[unit] : 0;
}

void FreeRuns::link(Region& region, std::uint32_t unit, std::uint32_t count,
                    RunState state) noexcept {
    // Keeping a list in address order packs the heap, but only its front is worth a walk.
    constexpr std::uint32_t walk_limit = 32;
    const bool is_dirty = state == RunState::dirty;
    region.tags[unit] = region.tags[unit + count - 1] = count | (is_dirty ? dirty_flag : 0);
    region.kinds[unit] = region.kinds[unit + count - 1] = free_kind;
    const std::uint32_t list_idx = list_of(count);
    Lists& own = lists(state);
    std::uint32_t previous = 0;
    std::uint32_t next = own.heads[list_idx];
    for (std::uint32_t step = 0; next != 0 && next < unit && step < walk_limit; ++step) {
        previous = next;
        next = links_of(region, next).next;
    }
    links_of(region, unit) = {next, previous};
    if (next != 0) {
        links_of(region, next).previous = unit;
    }
    (previous != 0 ? links_of(region, previous).next : own.heads[list_idx]) = unit;
    own.nonempty[list_idx / 64] |= std::uint64_t{1} << (list_idx % 64);
    if (is_dirty && count >= purgeable_min_units) {
        purgeable_units_ += count;
    }
}

void FreeRuns::unlink(Region& region, std::uint32_t unit, std::uint32_t count,
                      RunState state) noexcept {
    const Links links = links_of(region, unit);
    const std::uint32_t list_idx = list_of(count);
    Lists& own = lists(state);
    if (links.next != 0) {
        links_of(region, links.next).previous = links.previous;
    }
    if (links.previous != 0) {
        links_of(region, links.previous).next = links.next;
    } else {
        own.heads[list_idx] = links.next;
        if (links.next == 0) {
            own.nonempty[list_idx / 64] &= ~(std::uint64_t{1} << (list_idx % 64));
        }
    }
    if (state == RunState::dirty && count >= purgeable_min_units) {
        purgeable_units_ -= count;
    }
}

void FreeRuns::insert(Region& region, std::uint32_t unit, std::uint32_t count, RunState state,
                      std::uint32_t end_unit) noexcept {
    const std::uint32_t flag = state == RunState::dirty ? dirty_flag : 0;
    const std::uint32_t before = unit > 1 ? free_tag(region, unit - 1) : 0;
    if (before != 0 && (before & dirty_flag) == flag) {
        const std::uint32_t length = before & ~dirty_flag;
        unlink(region, unit - length, length, state);
        unit -= length;
        count += length;
    }
    const std::uint32_t after = unit + count < end_unit ? free_tag(region, unit + count) : 0;
    if (after != 0 && (after & dirty_flag) == flag) {
        const std::uint32_t length = after & ~dirty_flag;
        unlink(region, unit + count, length, state);
        count += length;
    }
    link(region, unit, count, state);
}

// Puts back what is left of a split run. A clean run is whole pages, so when the split fell inside
// a page, the rest of that page is dirty: its first half is in use.
void FreeRuns::link_rest(Region& region, std::uint32_t unit, std::uint32_t count,
                         RunState state) noexcept {
    const std::uint32_t page_rest = (units_per_page - unit % units_per_page) % units_per_page;
    if (state == RunState::clean && page_rest != 0) {
        const std::uint32_t dirty_count = std::min(page_rest, count);
        link(region, unit, dirty_count, RunState::dirty);
        unit += dirty_count;
        count -= dirty_count;
    }
    if (count != 0) {
        link(region, unit, count, state);
    }
}

// The first unit of the shortest run that is long enough, among the first 64 of a list of mixed
// lengths, or of any run from the next list that has one; 0 if there is none.
std::uint32_t FreeRuns::best_fit(Region& region, std::uint32_t count, RunState state) noexcept {
    constexpr std::uint32_t walk_limit = 64;
    const Lists& own = lists(state);
    std::uint32_t list_idx = list_of(count);
    if (list_idx >= exact_lists) {
        std::uint32_t best = 0;
        std::uint32_t best_length = ~std::uint32_t{0};
        std::uint32_t unit = own.heads[list_idx];
        for (std::uint32_t step = 0; unit != 0 && step < walk_limit; ++step) {
            const std::uint32_t length = region.tags[unit] & ~dirty_flag;
            if (length >= count && length < best_length) {
                best = unit;
                best_length = length;
            }
            unit = links_of(region, unit).next;
        }
        if (best != 0) {
            return best;
        }
        ++list_idx;
    }
    for (std::uint32_t word_idx = list_idx / 64; word_idx < word_count; ++word_idx) {
        std::uint64_t bits = own.nonempty[word_idx];
        if (word_idx == list_idx / 64) {
            bits &= ~std::uint64_t{0} << (list_idx % 64);
        }
        if (bits != 0) {
            return own.heads[word_idx * 64 + static_cast<std::uint32_t>(std::countr_zero(bits))];
        }
    }
    return 0;
}

std::uint32_t FreeRuns::take(Region& region, std::uint32_t count, RunState state) noexcept {
    const std::uint32_t unit = best_fit(region, count, state);
    if (unit == 0) {
        return 0;
    }
    const std::uint32_t length = region.tags[unit] & ~dirty_flag;
    unlink(region, unit, length, state);
    if (length > count) {
        link_rest(region, unit + count, length - count, state);
    }
    return unit;
}

bool FreeRuns::take_at(Region& region, std::uint32_t unit, std::uint32_t count) noexcept {
    const std::uint32_t tag = free_tag(region, unit);
    const std::uint32_t length = tag & ~dirty_flag;
    if (length < count) {
        return false;
    }
    const RunState state = (tag & dirty_flag) != 0 ? RunState::dirty : RunState::clean;
    unlink(region, unit, length, state);
    if (length > count) {
        link_rest(region, unit + count, length - count, state);
    }
    return true;
}

std::uint32_t FreeRuns::take_dirty_pages(Region& region, std::size_t wanted,
                                         std::uint32_t& unit) noexcept {
    // A run is cut only where the part left is worth keeping.
    constexpr std::uint32_t cut_min_units = 16 * units_per_page;
    const Lists& own = lists(RunState::dirty);
    std::uint32_t word_idx = word_count;
    while (word_idx != 0 && own.nonempty[word_idx - 1] == 0) {
        --word_idx;
    }
    if (word_idx == 0) {
        return 0;
    }
    const auto bit = static_cast<std::uint32_t>(std::bit_width(own.nonempty[word_idx - 1]) - 1);
    const std::uint32_t run = own.heads[(word_idx - 1) * 64 + bit];
    const std::uint32_t length = region.tags[run] & ~dirty_flag;
    auto first = static_cast<std::uint32_t>(align_up(run, units_per_page));
    const auto last = static_cast<std::uint32_t>(align_down(run + length, units_per_page));
    if (first >= last) {
        return 0;
    }
    if (last - first > wanted + cut_min_units) {
        first = last - static_cast<std::uint32_t>(align_up(wanted, units_per_page));
    }
    unlink(region, run, length, RunState::dirty);
    if (first > run) {
        link(region, run, first - run, RunState::dirty);
    }
    if (run + length > last) {
        link(region, last, run + length - last, RunState::dirty);
    }
    unit = first;
    return last - first;
}

std::int64_t FreeRuns::count_checked(const Region& region) const noexcept {
    auto& mutable_region = const_cast<Region&>(region); // links are only read
    std::int64_t free_units = 0;
    std::size_t purgeable = 0;
    for (const std::uint32_t flag : {0U, dirty_flag}) {
        const Lists& own = lists_[flag != 0 ? 1 : 0];
        for (std::uint32_t list_idx = 0; list_idx < list_count; ++list_idx) {
            std::uint32_t previous = 0;
            for (std::uint32_t unit = own.heads[list_idx]; unit != 0;) {
                const std::uint32_t length = region.tags[unit] & ~dirty_flag;
                const Links links = links_of(mutable_region, unit);
                if (flag == 0 && (unit % units_per_page != 0 || length % units_per_page != 0)) {
                    return -1; // clean runs are whole pages
                }
                if ((region.tags[unit] & dirty_flag) != flag || list_of(length) != list_idx ||
                    region.tags[unit + length - 1] != region.tags[unit] ||
                    region.kinds[unit] != free_kind ||
                    region.kinds[unit + length - 1] != free_kind || links.previous != previous) {
                    return -1;
                }
                free_units += length;
                purgeable += flag != 0 && length >= purgeable_min_units ? length : 0;
                previous = unit;
                unit = links.next;
            }
        }
    }
    return purgeable == purgeable_units_ ? free_units : -1;
}

} // namespace alloclab::pool
