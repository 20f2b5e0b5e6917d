// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/clear.hpp>
#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/pool/thread_cache.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <type_traits>
#include <utility>

namespace alloclab {

// The general-purpose allocator of the lab: size classes in slabs, larger blocks in runs, a thread
// cache before them. See docs/allocators/pool.md.
//
//   Pool       a heap and one cache: a value, for one thread at a time
//   PoolHeap   what several threads share; safe for all of them, not an allocator by itself
//   PoolCache  one thread's allocator over a shared heap; blocks may be freed through any cache
//
// Blocks are at least 16-aligned. Memory stays with the heap until it is reset or destroyed, but
// free pages go back to the system when fresh ones would set a new peak, or nobody needs them.
template <PageSource Source = OsPageSource> using PoolHeap = pool::Heap<Source>;

// What Pool and PoolCache share. `HeapStorage` is a heap, or a reference to one.
template <class HeapStorage> class PoolFront {
public:
    using Options = PoolOptions;
    using Stats = PoolStats;
    static constexpr Options default_options{};
    PoolFront(const PoolFront&) = delete;
    PoolFront& operator=(const PoolFront&) = delete;

    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
        if (alignment <= default_alignment && size <= pool::small_max_bytes) [[likely]] {
            return cache_.allocate(heap_, size);
        }
        return allocate_slow(size, alignment, false);
    }
    // The same, reading as zero; memory fresh from the system is not written.
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        if (size > pool::small_max_bytes) {
            return allocate_slow(size, alignment, true);
        }
        void* const block = allocate(size, alignment);
        if (block != nullptr) [[likely]] {
            clear_block(block, size);
        }
        return block;
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (alignment <= default_alignment && size <= pool::small_max_bytes && block != nullptr)
            [[likely]] {
            cache_.deallocate(heap_, size, block);
        } else {
            cache_.deallocate(heap_, block);
        }
    }
    void deallocate(void* block) noexcept { cache_.deallocate(heap_, block); }

    // Within a size class, or where the memory behind a large block is free.
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept {
        pool::Kind kind = pool::free_kind;
        const bool is_large = heap_.find_kind(block, kind) && kind == pool::large_kind;
        if (is_large && new_size > pool::small_max_bytes) {
            return heap_.resize_large(block, new_size);
        }
        if (alignment > default_alignment) {
            return new_size <= heap_.usable_size(block);
        }
        return !is_large && new_size <= pool::small_max_bytes &&
               heap_.classes().class_of(old_size) == heap_.classes().class_of(new_size);
    }
    // Bytes the live block really has, 0 for memory that is not the pool's.
    std::size_t usable_size(const void* block) const noexcept { return heap_.usable_size(block); }
    bool owns(const void* block) const noexcept { return heap_.contains(block); }

    // Caches of other threads count as live. Cost: O(slabs), and everyone waits.
    Stats stats() const noexcept {
        auto& heap = const_cast<std::remove_reference_t<HeapStorage>&>(heap_); // for its locks
        return heap.stats(cache_.cached_bytes(heap.classes()), cache_.slot_bytes());
    }
    // Gives the cached blocks back to the heap.
    void flush() noexcept { cache_.flush(heap_); }

protected:
    template <class... HeapArguments>
    explicit PoolFront(HeapArguments&&... arguments) noexcept
        : heap_(std::forward<HeapArguments>(arguments)...) {}
    ~PoolFront() = default;

    HeapStorage heap_;
    pool::ThreadCache cache_;

private:
    [[gnu::noinline]] void* allocate_slow(std::size_t size, std::size_t alignment,
                                          bool is_zeroed) noexcept {
        if (const std::size_t class_bytes = heap_.classes().aligned_class_bytes(size, alignment)) {
            return cache_.allocate(heap_, class_bytes);
        }
        return cache_.allocate_large(heap_, size, alignment, is_zeroed);
    }
};

template <PageSource Source = OsPageSource> class Pool : public PoolFront<pool::Heap<Source>> {
    using Base = PoolFront<pool::Heap<Source>>;

public:
    explicit Pool(const PoolOptions& options = Base::default_options,
                  Source source = Source{}) noexcept
        : Base(options, std::move(source)) {}
    ~Pool() { reset(); }

    // Every block dies and all memory goes back to the source. Cost: one unmap.
    void reset() noexcept {
        this->cache_.drop();
        this->heap_.close();
    }
    Source& source() noexcept { return this->heap_.source(); }
    bool check_invariants() noexcept { return this->heap_.check_invariants(); }
};

template <PageSource Source = OsPageSource>
class PoolCache : public PoolFront<pool::Heap<Source>&> {
public:
    // Requires: the heap outlives the cache.
    explicit PoolCache(pool::Heap<Source>& heap) noexcept : PoolFront<pool::Heap<Source>&>(heap) {}
    ~PoolCache() { this->cache_.retire(this->heap_); }
};

} // namespace alloclab
