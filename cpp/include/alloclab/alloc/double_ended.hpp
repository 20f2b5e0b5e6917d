// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace alloclab {

struct DoubleEndedOptions {
    std::size_t region_bytes = std::size_t{1} << 30;

    // Names: region_bytes (4 KiB to 1 TiB). Returns false, and changes nothing, for an unknown name
    // or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct DoubleEndedStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // whole pages that were ever written
    std::size_t low_bytes = 0;       // taken from the low end
    std::size_t high_bytes = 0;      // taken from the high end
};

// Two stacks in one region that grow towards each other: what stays from the low end, what is
// temporary from the high end, and neither needs a share of its own. The allocator's calls use the
// low end. Nothing is mapped before the first allocation. One thread at a time.
//   first_ <= low_ <= high_ <= end_
template <PageSource Source = OsPageSource> class DoubleEnded {
public:
    using Options = DoubleEndedOptions;
    using Stats = DoubleEndedStats;
    static constexpr Options default_options{};
    struct Mark {
        std::uintptr_t cursor = 0; // 0: from before the first allocation
    };

    explicit DoubleEnded(const Options& options = default_options,
                         Source source = Source{}) noexcept
        : region_bytes_(align_up(options.region_bytes, page_bytes)), source_(std::move(source)) {}
    ~DoubleEnded() {
        if (first_ != 0) {
            source_.unmap(reinterpret_cast<void*>(first_), region_bytes_);
        }
    }
    DoubleEnded(const DoubleEnded&) = delete;
    DoubleEnded& operator=(const DoubleEnded&) = delete;

    // Returns null when the ends would meet.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t taken = size == 0 ? 1 : size;
        if (!has_region() || alignment > region_bytes_) {
            return nullptr;
        }
        const std::uintptr_t block = align_up(low_, std::max(alignment, default_alignment));
        if (block > high_ || taken > high_ - block) {
            return nullptr;
        }
        low_ = block + taken;
        low_peak_ = std::max(low_peak_, low_);
        return reinterpret_cast<void*>(block);
    }
    // The same from the high end.
    void* allocate_high(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t taken = size == 0 ? 1 : size;
        if (!has_region() || alignment > region_bytes_ || taken > high_ - low_) {
            return nullptr;
        }
        const std::uintptr_t block =
            align_down(high_ - taken, std::max(alignment, default_alignment));
        if (block < low_) {
            return nullptr;
        }
        high_ = block;
        high_peak_ = std::min(high_peak_, high_);
        return reinterpret_cast<void*>(block);
    }

    // Takes back the newest block of the low end; does nothing for any other.
    void deallocate(void* block, std::size_t size, std::size_t) noexcept {
        const auto first = reinterpret_cast<std::uintptr_t>(block);
        if (block != nullptr && first + (size == 0 ? 1 : size) == low_) {
            low_ = first;
        }
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size, std::size_t) noexcept {
        const auto first = reinterpret_cast<std::uintptr_t>(block);
        if (old_size == 0 || first + old_size != low_) {
            return new_size <= old_size;
        }
        if (new_size > high_ - first) {
            return false;
        }
        low_ = first + std::max<std::size_t>(new_size, 1);
        low_peak_ = std::max(low_peak_, low_);
        return true;
    }

    // The ends are marked and rewound each on its own. Returns false, having changed nothing, for a
    // point that is not within what the end has taken.
    Mark mark() const noexcept { return {low_}; }
    Mark mark_high() const noexcept { return {high_}; }
    bool rewind(Mark to) noexcept {
        return move_within(to.cursor == 0 ? first_ : to.cursor, first_, low_, low_);
    }
    bool rewind_high(Mark to) noexcept {
        const std::uintptr_t end = first_ + region_size();
        return move_within(to.cursor == 0 ? end : to.cursor, high_, end, high_);
    }

    // Ends the life of every block at both ends. The region is kept.
    void reset() noexcept {
        low_ = first_;
        high_ = first_ + region_size();
    }

    bool owns(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        return first_ != 0 && address >= first_ && address - first_ < region_bytes_;
    }
    Stats stats() const noexcept {
        const std::uintptr_t end = first_ + region_size();
        const std::size_t low_pages = align_up(low_peak_ - first_, page_bytes);
        const std::size_t high_pages = align_up(end - high_peak_, page_bytes);
        return {region_size(), std::min(low_pages + high_pages, region_size()), low_ - first_,
                end - high_};
    }

private:
    std::size_t region_size() const noexcept { return first_ != 0 ? region_bytes_ : 0; }
    bool has_region() noexcept { return first_ != 0 || map_region(); }
    bool map_region() noexcept {
        void* memory = nullptr;
        if constexpr (ReservingSource<Source>) {
            memory = source_.reserve(region_bytes_, page_bytes);
        } else {
            memory = source_.map(region_bytes_, page_bytes);
        }
        first_ = low_ = low_peak_ = reinterpret_cast<std::uintptr_t>(memory);
        high_ = high_peak_ = first_ + region_size();
        return memory != nullptr;
    }
    static bool move_within(std::uintptr_t to, std::uintptr_t lowest, std::uintptr_t highest,
                            std::uintptr_t& cursor) noexcept {
        if (to < lowest || to > highest) {
            return false;
        }
        cursor = to;
        return true;
    }

    std::uintptr_t low_ = 0;
    std::uintptr_t high_ = 0;
    std::uintptr_t first_ = 0; // 0 before the first allocation
    std::uintptr_t low_peak_ = 0;
    std::uintptr_t high_peak_ = 0;
    std::size_t region_bytes_;
    [[no_unique_address]] Source source_;
};

} // namespace alloclab
