// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/slabs.hpp>

namespace alloclab::pool {

// The part of a pool that all its threads share, and that serves what their caches do not: batches
// of blocks of a class, and large blocks. Safe for any number of threads. It is opened by the first
// request and has no destructor, so that it can serve a program's malloc until its very end;
// whoever wants the memory back calls `close`.
template <PageSource Source> class Heap {
public:
    using OpenHook = typename RunHeap<Source>::OpenHook;

    constexpr explicit Heap(const PoolOptions& options = {}, Source source = Source{},
                            OpenHook before_open = nullptr) noexcept
        : runs_(options, std::move(source), before_open) {}
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // Gives everything back. Requires: no thread is in the heap, and every cache was dropped.
    void close() noexcept {
        runs_.close();
        slabs_.forget();
        cache_count_.store(0, std::memory_order_relaxed);
        rejected_frees_.store(0, std::memory_order_relaxed);
    }

    const SizeClassTable& classes() const noexcept { return runs_.classes; }
    // Opens the heap if it is not yet. Returns whether it is open.
    bool is_open() noexcept { return runs_.region.is_open() || runs_.open(); }

    bool contains(const void* block) const noexcept { return runs_.region.contains(block); }
    // Returns whether `block` is the heap's, and if so its kind.
    // Requires: if it is the heap's, it is the start of a live block.
    bool find_kind(const void* block, Kind& kind) const noexcept {
        return runs_.region.find_kind(block, kind);
    }

    // Puts blocks of a class into `out`, the one to use first at the end. `relieve(runs)` is as for
    // RunHeap. Returns how many, at least one unless there is no memory; of a mid class one.
    template <class Relieve>
    std::uint32_t take(std::uint32_t class_idx, std::span<void*> out, Relieve&& relieve) noexcept;
    void give(std::uint32_t class_idx, std::span<void* const> blocks) noexcept;
    // Gives back one block of a mid class. Requires: the run heap's lock held.
    void give_mid_locked(std::uint32_t class_idx, void* block) noexcept {
        runs_.deallocate(runs_.region.unit_of(block), classes().classes[class_idx].run_units);
    }

    // A block of its own run: for sizes above small_max_bytes, and for any alignment.
    template <class Relieve>
    void* allocate_large(std::size_t size, std::size_t alignment, bool is_zeroed,
                         Relieve&& relieve) noexcept;
    void deallocate_large(void* block) noexcept;
    // Changes a large block to another large size where it stands. Returns false where it cannot.
    bool resize_large(void* block, std::size_t new_size) noexcept;
    // The same, moving it if need be: by pages where the source can, else by copying. Null, and
    // the block is as it was, when there is no memory.
    template <class Relieve>
    void* reallocate_large(void* block, std::size_t new_size, Relieve&& relieve) noexcept;

    // Bytes a live block has; 0 for memory that is not the heap's.
    std::size_t usable_size(const void* block) const noexcept;

    // Caches say when they come (1) and go (-1), because all share one grant.
    void count_cache(int change) noexcept {
        cache_count_.fetch_add(change, std::memory_order_relaxed);
    }
    // Bytes of blocks by which each cache may grow its rows: a 256th of what is in use, but at
    // least 128 KiB, shared by all caches. A 64th gained 3 % in time on a compiler's
    // trace and cost 3 % in footprint.
    std::size_t cache_grant_bytes() noexcept {
        constexpr std::size_t least_bytes = std::size_t{128} << 10;
        const std::size_t used_bytes = runs_.used_units() * unit_bytes;
        const int cache_count = cache_count_.load(std::memory_order_relaxed);
        return std::max(used_bytes / 256, least_bytes) / static_cast<std::size_t>(cache_count);
    }

    // Counts a free of memory that is free already.
    void note_rejected_free() noexcept { rejected_frees_.fetch_add(1, std::memory_order_relaxed); }

    // As time passes: gives free memory back. Returns whether to call again soon.
    bool decay() noexcept { return runs_.decay(); }

    // Around fork: the child must not inherit a lock another thread held.
    void lock_all() noexcept {
        slabs_.lock_all();
        runs_.lock.lock();
    }
    void unlock_all() noexcept {
        runs_.lock.unlock();
        slabs_.unlock_all();
    }
    void unlock_all_in_child() noexcept {
        runs_.adopt_leaving();
        unlock_all();
    }

    // `cached_bytes` is what the caller knows to be free in caches, `slot_bytes` what those caches
    // take themselves. Cost: O(slabs); locks everything.
    PoolStats stats(std::size_t cached_bytes, std::size_t slot_bytes) noexcept;
    // Compares every count with what the tables say. For tests. Cost: O(units).
    bool check_invariants() noexcept;

    Source& source() noexcept { return runs_.source(); }

private:
    // From this size on, blocks are whole pages, so that a growing one can be moved by pages.
    static constexpr std::size_t whole_page_min_bytes = std::size_t{1} << 20;

    static std::uint32_t units_for(std::size_t size) noexcept {
        const std::size_t step = size >= whole_page_min_bytes ? page_bytes : unit_bytes;
        return static_cast<std::uint32_t>(align_up(size, step) / unit_bytes);
    }
    void mark_run(std::uint32_t unit, std::uint32_t count, Kind kind) noexcept {
        runs_.region.kinds[unit + count - 1] = tail_kind;
        runs_.region.kinds[unit] = kind;
    }
    void mark_large(std::uint32_t unit, std::uint32_t count) noexcept {
        mark_run(unit, count, large_kind);
        runs_.region.tags[unit] = count;
    }
    std::uint32_t trim_to_alignment(std::uint32_t unit, std::uint32_t count, std::uint32_t extra,
                                    std::size_t alignment) noexcept;
    bool move_pages(void* from, void* to, std::size_t bytes) noexcept;

    RunHeap<Source> runs_;
    Slabs<Source> slabs_;
    std::atomic<int> cache_count_{0};
    std::atomic<std::size_t> rejected_frees_{0};
};

} // namespace alloclab::pool

#include <alloclab/alloc/pool/detail/heap_large.hpp>
