// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/freelist_shard.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <bit>
#include <utility>

namespace alloclab {

// Blocks of one size from equal chunks, each with a free list of its own: after frees in any order
// the next allocations stay within one chunk, and both calls are O(1) without any sorting. A chunk
// that is empty goes back to the page source, the last one is kept. One thread at a time.
// With `is_checked` (the default in Debug builds) a free of a foreign or free block is counted and
// ignored, at O(chunks) a free; without it such a free is undefined. See
// docs/allocators/freelist.md.
//   live blocks = sum over chunks of live_count; partial_ holds the chunks with a free block,
//   full_ the others
template <PageSource Source = OsPageSource, bool is_checked = freelist_is_checked_by_default>
class Freelist {
public:
    using Options = FreelistOptions;
    using Stats = FreelistStats;
    static constexpr Options default_options{};

    explicit Freelist(const Options& options = default_options, Source source = Source{}) noexcept
        : geometry_(options, is_checked), source_(std::move(source)) {}
    ~Freelist() { reset(); }
    Freelist(const Freelist&) = delete;
    Freelist& operator=(const Freelist&) = delete;

    // Returns null for a size above the block size, an alignment above the block's own (see
    // `block_alignment`), or when the page source refuses.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        FreelistShard* const shard = partial_.first;
        if (size > geometry_.block_bytes || alignment > geometry_.alignment) [[unlikely]] {
            return nullptr;
        }
        if (shard == nullptr || shard->free == nullptr) [[unlikely]] {
            return allocate_slow();
        }
        FreeBlock* const block = shard->free;
        shard->free = block->next;
        ++shard->live_count;
        note_allocated(shard, block);
        return block;
    }

    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block == nullptr || (is_checked && !is_live(block))) [[unlikely]] {
            rejected_frees_ += block != nullptr;
            return;
        }
        FreelistShard* const shard = shard_of(block);
        note_deallocated(shard, block);
        auto* const freed = static_cast<FreeBlock*>(block);
        freed->next = shard->free;
        shard->free = freed;
        --shard->live_count;
        if (shard->is_full || shard->live_count == 0) [[unlikely]] {
            settle(shard);
        }
    }

    // The block already is as large as it gets. Returns whether the new size fits.
    bool resize(void*, std::size_t, std::size_t new_size, std::size_t) noexcept {
        return new_size <= geometry_.block_bytes;
    }
    std::size_t usable_size(const void* block) const noexcept {
        return block != nullptr ? geometry_.block_bytes : 0;
    }

    // Gives every chunk back. Cost: O(chunks).
    void reset() noexcept {
        drop_list(partial_);
        drop_list(full_);
    }

    bool owns(const void* block) const noexcept {
        return find_shard(block) != nullptr;
    } // O(chunks)
    std::size_t block_bytes() const noexcept { return geometry_.block_bytes; }
    std::size_t block_alignment() const noexcept { return geometry_.alignment; }
    Stats stats() const noexcept; // Cost: O(chunks).
    Source& source() noexcept { return source_; }

private:
    FreelistShard* shard_of(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        return reinterpret_cast<FreelistShard*>(address & ~(geometry_.shard_alignment - 1));
    }
    void* allocate_slow() noexcept;
    bool add_shard() noexcept;
    void settle(FreelistShard* shard) noexcept;
    void drop_list(ShardList& list) noexcept;
    const FreelistShard* find_shard(const void* block) const noexcept;
    bool is_live(const void* block) const noexcept;
    void note_allocated(FreelistShard* shard, const void* block) noexcept {
        if constexpr (is_checked) {
            geometry_.set_live(shard, block, true);
        }
    }
    void note_deallocated(FreelistShard* shard, const void* block) noexcept {
        if constexpr (is_checked) {
            geometry_.set_live(shard, block, false);
        }
    }

    ShardList partial_; // its first serves
    ShardList full_;
    FreelistGeometry geometry_;
    std::size_t rejected_frees_ = 0;
    [[no_unique_address]] Source source_;
};

// The serving chunk has no freed block: take one of its blocks that was never used, or go on to the
// next chunk, or map one.
template <PageSource Source, bool is_checked>
[[gnu::noinline]] void* Freelist<Source, is_checked>::allocate_slow() noexcept {
    while (partial_.first != nullptr && geometry_.is_exhausted(*partial_.first)) {
        FreelistShard* const full = partial_.first;
        partial_.unlink(full);
        full->is_full = true;
        full_.push_front(full);
    }
    if (partial_.first == nullptr && !add_shard()) {
        return nullptr;
    }
    FreelistShard* const shard = partial_.first;
    if (shard->free == nullptr) {
        geometry_.carve(*shard);
    }
    FreeBlock* const block = shard->free;
    shard->free = block->next;
    ++shard->live_count;
    note_allocated(shard, block);
    return block;
}

template <PageSource Source, bool is_checked>
bool Freelist<Source, is_checked>::add_shard() noexcept {
    if (geometry_.chunk_bytes == 0) {
        return false;
    }
    void* const memory = source_.map(geometry_.chunk_bytes, geometry_.shard_alignment);
    if (memory == nullptr) {
        return false;
    }
    partial_.push_front(geometry_.create_shard(memory));
    return true;
}

// A chunk was full and has a free block now, or has no live block left.
template <PageSource Source, bool is_checked>
[[gnu::noinline]] void Freelist<Source, is_checked>::settle(FreelistShard* shard) noexcept {
    if (shard->is_full) {
        shard->is_full = false;
        full_.unlink(shard);
        // Last in turn, so that more blocks come back to it before it serves: a chunk that served
        // at once would be full again at once.
        partial_.push_back(shard);
    }
    const bool is_alone = partial_.first == shard && partial_.last == shard;
    if (shard->live_count == 0 && !is_alone) {
        partial_.unlink(shard);
        source_.unmap(shard, geometry_.chunk_bytes);
    }
}

template <PageSource Source, bool is_checked>
void Freelist<Source, is_checked>::drop_list(ShardList& list) noexcept {
    while (FreelistShard* const shard = list.first) {
        list.unlink(shard);
        source_.unmap(shard, geometry_.chunk_bytes);
    }
}

template <PageSource Source, bool is_checked>
const FreelistShard* Freelist<Source, is_checked>::find_shard(const void* block) const noexcept {
    const FreelistShard* const candidate = shard_of(block);
    for (const FreelistShard* list : {partial_.first, full_.first}) {
        for (; list != nullptr; list = list->next) {
            if (list == candidate) {
                return geometry_.is_block(*list, block) ? list : nullptr;
            }
        }
    }
    return nullptr;
}

template <PageSource Source, bool is_checked>
bool Freelist<Source, is_checked>::is_live(const void* block) const noexcept {
    const FreelistShard* const shard = find_shard(block);
    return shard != nullptr && geometry_.is_live(shard, block);
}

template <PageSource Source, bool is_checked>
FreelistStats Freelist<Source, is_checked>::stats() const noexcept {
    Stats stats;
    for (const FreelistShard* list : {partial_.first, full_.first}) {
        for (; list != nullptr; list = list->next) {
            geometry_.add_stats(*list, stats);
        }
    }
    stats.rejected_frees = rejected_frees_;
    return stats;
}

} // namespace alloclab
