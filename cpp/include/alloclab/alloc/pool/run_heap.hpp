// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/decay.hpp>
#include <alloclab/alloc/pool/free_runs.hpp>
#include <alloclab/alloc/pool/pool_options.hpp>
#include <alloclab/alloc/spin_lock.hpp>

#include <algorithm>
#include <utility>

namespace alloclab::pool {

// Hands out runs of units: from dirty free runs first, then from clean ones, then from memory that
// was never used. Where fresh pages would set a new peak, free dirty pages are given back first, so
// that the peak follows what is in use; below the peak only what stayed free for a while is given
// back, so that little is faulted in twice for nothing.
//   units below top_ = used_ + free units + leaving_.count + unit 0's page; used_ + dirty <= peak_
// Every call needs `lock` held, except where it says otherwise.
template <PageSource Source> class RunHeap {
public:
    SpinLock lock;

    // `before_open` may change the options just before the region is reserved. It must not
    // allocate.
    using OpenHook = void (*)(PoolOptions&) noexcept;

    constexpr RunHeap(const PoolOptions& options, Source source, OpenHook before_open) noexcept
        : classes(size_classes_of(options.classes_per_doubling)), options_(options),
          before_open_(before_open), source_(std::move(source)) {}

    // Opens the region, once. Returns whether it is open. Takes the lock itself.
    bool open() noexcept;
    // Gives everything back to the source; the next `open` starts anew.
    void close() noexcept;

    // Returns the first of `count` units, or 0. `is_zero` tells whether they are known to read as
    // zero. At a new peak, now and then, `relieve()` is asked to deallocate runs nobody needs.
    // The caller marks kinds and tags.
    template <class Relieve>
    std::uint32_t allocate(std::uint32_t count, bool& is_zero, Relieve&& relieve) noexcept;
    void deallocate(std::uint32_t unit, std::uint32_t count) noexcept {
        set_used(used_units() - count);
        free_.insert(region, unit, count, RunState::dirty, top_);
    }
    // The same for whole pages whose memory is already gone.
    void deallocate_clean(std::uint32_t unit, std::uint32_t count) noexcept {
        set_used(used_units() - count);
        free_.insert(region, unit, count, RunState::clean, top_);
    }
    // Makes a run longer where it stands, if what follows it is free. Returns whether it is.
    bool extend(std::uint32_t unit, std::uint32_t old_count, std::uint32_t new_count) noexcept;

    // Gives back some of what has been free for a while, if it is time. Takes the lock itself, and
    // holds it only to choose. Returns whether there is more to give back now.
    bool decay() noexcept;
    // In a child of fork, the lock held: takes up what a thread that is gone was giving back.
    void adopt_leaving() noexcept {
        if (leaving_.count != 0) {
            free_.insert(region, leaving_.unit, leaving_.count, RunState::dirty, top_);
            leaving_ = {};
        }
    }

    // Needs no lock.
    std::size_t used_units() const noexcept { return used_.load(std::memory_order_relaxed); }
    std::size_t dirty_units() const noexcept { return free_.purgeable_units(); }
    std::size_t leaving_units() const noexcept { return leaving_.count; }
    std::size_t purged_bytes() const noexcept { return purged_bytes_; }
    const FreeRuns& free_runs() const noexcept { return free_; }
    std::uint32_t top_unit() const noexcept { return top_; }
    Source& source() noexcept { return source_; }

    Region region;
    // As the options ask. Threads read it before the heap is open, so `open` writes it only where
    // the hook has changed what they ask: a hook is for a process that has one thread yet.
    SizeClassTable classes;

private:
    static constexpr std::size_t huge_page_units = (std::size_t{2} << 20) / unit_bytes;
    // A relief empties caches that will fill again: only each time the peak has grown this much.
    static constexpr std::size_t relief_divisor = 128;
    static constexpr std::size_t least_slack_units = 32 * units_per_page;
    // What one call gives back by decay at most: about a millisecond's worth.
    static constexpr std::size_t decay_step_units = std::size_t{2048} * units_per_page;

    struct Run {
        std::uint32_t unit = 0;
        std::uint32_t count = 0;
    };

    bool sets_peak(std::size_t count) const noexcept {
        return used_units() + free_.purgeable_units() + count > peak_;
    }
    void set_used(std::size_t count) noexcept { used_.store(count, std::memory_order_relaxed); }
    void note_used(std::size_t count) noexcept {
        set_used(used_units() + count);
        peak_ = std::max(peak_, used_units() + free_.purgeable_units());
        decay_.note_free(free_.purgeable_units());
    }
    void purge_for(std::size_t count) noexcept;
    std::uint32_t take_fresh(std::uint32_t count) noexcept;
    void back_fresh(std::uint32_t count) noexcept;

    FreeRuns free_;
    Decay decay_;
    Run leaving_; // being given back with the lock released: neither used nor free
    std::uint32_t top_ = units_per_page; // units from here on were never used
    std::uint32_t populated_end_ = 0;    // units below were faulted in, or left to faults
    std::uint32_t huge_end_ = 0;         // units below were looked at for huge pages
    std::atomic<std::size_t> used_{0};   // written with the lock held
    std::size_t peak_ = 0;
    std::size_t relieve_from_ = 0;
    std::size_t purged_bytes_ = 0;
    PoolOptions options_;
    OpenHook before_open_;
    [[no_unique_address]] Source source_;
};

template <PageSource Source> [[gnu::noinline, gnu::cold]] bool RunHeap<Source>::open() noexcept {
    const LockGuard guard(lock);
    if (region.is_open()) {
        return true;
    }
    if (before_open_ != nullptr) {
        before_open_(options_);
    }
    if (classes.classes_per_doubling != options_.classes_per_doubling) {
        classes = size_classes_of(options_.classes_per_doubling);
    }
    return region.open(source_, options_.region_bytes);
}

template <PageSource Source> void RunHeap<Source>::close() noexcept {
    region.close(source_);
    free_ = FreeRuns{};
    decay_ = Decay{};
    top_ = units_per_page;
    populated_end_ = huge_end_ = 0;
    set_used(0);
    peak_ = relieve_from_ = 0;
}

template <PageSource Source>
template <class Relieve>
std::uint32_t RunHeap<Source>::allocate(std::uint32_t count, bool& is_zero,
                                        Relieve&& relieve) noexcept {
    is_zero = false;
    std::uint32_t unit = free_.take(region, count, RunState::dirty);
    if (unit == 0 && sets_peak(count) && used_units() > relieve_from_) {
        relieve_from_ = used_units() + used_units() / relief_divisor;
        relieve();
        unit = free_.take(region, count, RunState::dirty);
    }
    if (unit == 0) {
        if (sets_peak(count)) {
            purge_for(count);
        }
        is_zero = Source::maps_zeroed;
        unit = free_.take(region, count, RunState::clean);
        if (unit == 0) {
            unit = take_fresh(count);
        }
    }
    if (unit != 0) {
        note_used(count);
    }
    return unit;
}

// Before fresh pages set a new peak: gives back as much as they will take, down to the slack.
template <PageSource Source> void RunHeap<Source>::purge_for(std::size_t count) noexcept {
    if constexpr (PurgingSource<Source>) {
        const std::size_t slack = std::max(peak_ / options_.purge_slack_divisor, least_slack_units);
        const std::size_t dirty = free_.purgeable_units();
        if (!options_.purge || dirty <= slack) {
            return;
        }
        std::size_t wanted = std::min(dirty - slack, used_units() + dirty + count - peak_);
        while (wanted != 0) {
            std::uint32_t unit = 0;
            const std::uint32_t taken = free_.take_dirty_pages(region, wanted, unit);
            if (taken == 0) {
                return;
            }
            source_.purge(region.address_of(unit), std::size_t{taken} * unit_bytes);
            purged_bytes_ += std::size_t{taken} * unit_bytes;
            free_.insert(region, unit, taken, RunState::clean, top_);
            wanted -= std::min<std::size_t>(taken, wanted);
        }
    }
}

template <PageSource Source> bool RunHeap<Source>::decay() noexcept {
    if constexpr (PurgingSource<Source> && TimedSource<Source>) {
        if (!options_.purge || options_.decay_ms == 0) {
            return false;
        }
        const std::uint64_t now_ns = source_.now_ns();
        {
            const LockGuard guard(lock);
            const std::size_t owed =
                decay_.owed(now_ns, options_.decay_ms * 1'000'000, free_.purgeable_units());
            if (owed == 0 || leaving_.count != 0) {
                return false;
            }
            leaving_.count =
                free_.take_dirty_pages(region, std::min(owed, decay_step_units), leaving_.unit);
            if (leaving_.count == 0) {
                return false;
            }
            // Looks used, so that nothing joins it meanwhile.
            region.kinds[leaving_.unit + leaving_.count - 1] = tail_kind;
            region.kinds[leaving_.unit] = large_kind;
            decay_.note_given(leaving_.count);
        }
        const std::size_t bytes = std::size_t{leaving_.count} * unit_bytes;
        source_.purge(region.address_of(leaving_.unit), bytes);
        const LockGuard guard(lock);
        purged_bytes_ += bytes;
        free_.insert(region, leaving_.unit, leaving_.count, RunState::clean, top_);
        leaving_ = {};
        return true;
    }
    return false;
}

template <PageSource Source>
std::uint32_t RunHeap<Source>::take_fresh(std::uint32_t count) noexcept {
    if (count > region.unit_count() - top_) {
        return 0;
    }
    const std::uint32_t unit = top_;
    top_ += count;
    back_fresh(count);
    return unit;
}

// Sees to the memory behind the `count` units that now end at top_.
template <PageSource Source> void RunHeap<Source>::back_fresh(std::uint32_t count) noexcept {
    if constexpr (HugePageSource<Source>) {
        if (top_ > huge_end_) [[unlikely]] {
            const auto end = static_cast<std::uint32_t>(
                std::min<std::size_t>(align_up(top_, huge_page_units), region.unit_count()));
            const std::size_t from_bytes = options_.huge_pages_from_bytes;
            // Never the first 2 MiB: a program that needs less would pay for all of it.
            if (from_bytes != 0 && used_units() * unit_bytes >= from_bytes && huge_end_ != 0) {
                source_.use_huge_pages(region.address_of(huge_end_),
                                       std::size_t{end - huge_end_} * unit_bytes);
            }
            huge_end_ = end;
        }
    }
    if constexpr (PopulatingSource<Source>) {
        if (options_.populate_bytes >= page_bytes && top_ > populated_end_) {
            const std::size_t step = options_.populate_bytes / page_bytes * units_per_page;
            if (count >= step) {
                populated_end_ = top_; // a large run may never be touched: left to faults
                return;
            }
            const auto first = align_down(populated_end_, units_per_page);
            const std::size_t end =
                std::min<std::size_t>((top_ + step - 1) / step * step, region.unit_count());
            source_.populate(region.address_of(static_cast<std::uint32_t>(first)),
                             (end - first) * unit_bytes);
            populated_end_ = static_cast<std::uint32_t>(end);
        }
    }
}

template <PageSource Source>
bool RunHeap<Source>::extend(std::uint32_t unit, std::uint32_t old_count,
                             std::uint32_t new_count) noexcept {
    const std::uint32_t more = new_count - old_count;
    const std::uint32_t end = unit + old_count;
    const std::uint32_t free_count = end < top_ ? free_.length_at(region, end) : 0;
    if (free_count >= more) {
        free_.take_at(region, end, more);
    } else if (end + free_count != top_ || take_fresh(more - free_count) == 0) {
        return false;
    } else if (free_count != 0) {
        free_.take_at(region, end, free_count); // what was free before the end of the heap
    }
    note_used(more);
    return true;
}

} // namespace alloclab::pool
