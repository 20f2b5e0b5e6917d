// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/freelist_shard.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <bit>
#include <utility>

namespace alloclab {

// Blocks of one size from equal chunks, each with a free list of its own: after frees in any order
// the next allocations stay within one chunk, and both calls are O(1) without any sorting. The
// block freed last is given first, while it is in the processor's cache. A chunk that is empty goes
// back to the page source, the serving one is kept. One thread at a time. With `is_checked` (the
// default in Debug builds) a free of a foreign or free block is counted and ignored, at O(chunks) a
// free; without it such a free is undefined. See docs/allocators/freelist.md.
//   live blocks = sum over chunks of live_count - blocks in free_ - 1 where there is a last_freed_
//   serving_ is in no chain; of the others partial_ holds those with a free block, full_ the rest
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
        if (size > geometry_.block_bytes || alignment > geometry_.alignment) [[unlikely]] {
            return nullptr;
        }
        FreeBlock* block = last_freed_;
        if (block != nullptr) {
            last_freed_ = nullptr;
        } else {
            block = free_;
            if (block == nullptr && (block = refill()) == nullptr) [[unlikely]] {
                return nullptr;
            }
            free_ = block->next;
        }
        note_allocated(block);
        return block;
    }

    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block == nullptr || (is_checked && !is_live(block))) [[unlikely]] {
            rejected_frees_ += block != nullptr;
            return;
        }
        note_deallocated(block);
        FreeBlock* const before = last_freed_;
        last_freed_ = static_cast<FreeBlock*>(block);
        if (before != nullptr) {
            return_to_shard(before);
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
        last_freed_ = nullptr;
        free_ = nullptr;
        if (serving_ != nullptr) {
            source_.unmap(std::exchange(serving_, nullptr), geometry_.chunk_bytes);
        }
        drop_list(partial_);
        drop_list(full_);
    }

    bool owns(const void* block) const noexcept {
        return find_shard(block) != nullptr;
    } // O(chunks)
    std::size_t block_bytes() const noexcept { return geometry_.block_bytes; }
    std::size_t block_alignment() const noexcept { return geometry_.alignment; }
    Stats stats() const noexcept; // Cost: O(chunks), and the free blocks of one.
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    Source& source() noexcept { return source_; }

private:
    FreelistShard* shard_of(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        return reinterpret_cast<FreelistShard*>(address & ~(geometry_.shard_alignment - 1));
    }
    void return_to_shard(FreeBlock* block) noexcept {
        FreelistShard* const shard = shard_of(block);
        block->next = shard->free;
        shard->free = block;
        --shard->live_count;
        if (shard->is_full || shard->live_count == 0) [[unlikely]] {
            settle(shard);
        }
    }
    FreeBlock* refill() noexcept;
    FreeBlock* detach_serving() noexcept;
    bool add_shard() noexcept;
    void settle(FreelistShard* shard) noexcept;
    void drop_list(ShardList& list) noexcept;
    template <class Visit> void for_each_shard(Visit visit) const noexcept {
        if (serving_ != nullptr) {
            visit(*serving_);
        }
        for (const FreelistShard* list : {partial_.first, full_.first}) {
            for (; list != nullptr; list = list->next) {
                visit(*list);
            }
        }
    }
    const FreelistShard* find_shard(const void* block) const noexcept;
    bool is_live(const void* block) const noexcept;
    void note_allocated(const void* block) noexcept {
        if constexpr (is_checked) {
            geometry_.set_live(shard_of(block), block, true);
        }
    }
    void note_deallocated(const void* block) noexcept {
        if constexpr (is_checked) {
            geometry_.set_live(shard_of(block), block, false);
        }
    }

    FreeBlock* last_freed_ = nullptr; // not yet back in its chunk
    FreeBlock* free_ = nullptr;       // taken from serving_, which counts them as live
    FreelistShard* serving_ = nullptr;
    ShardList partial_;
    ShardList full_;
    FreelistGeometry geometry_;
    std::size_t rejected_frees_ = 0;
    [[no_unique_address]] Source source_;
};

// The list of the serving chunk is used up: take what came back to that chunk meanwhile, or blocks
// of it that were never used, or go on to the next chunk, or map one.
template <PageSource Source, bool is_checked>
[[gnu::noinline]] FreeBlock* Freelist<Source, is_checked>::refill() noexcept {
    for (;;) {
        if (serving_ != nullptr) {
            if (FreeBlock* const first = detach_serving()) {
                return first;
            }
            serving_->is_full = true;
            full_.push_front(std::exchange(serving_, nullptr));
        }
        if (partial_.first != nullptr) {
            serving_ = partial_.first;
            partial_.unlink(serving_);
        } else if (!add_shard()) {
            return nullptr;
        }
    }
}

// Returns all free blocks of the serving chunk, which then counts them as live; null for none.
template <PageSource Source, bool is_checked>
FreeBlock* Freelist<Source, is_checked>::detach_serving() noexcept {
    if (geometry_.is_exhausted(*serving_)) {
        return nullptr;
    }
    if (serving_->free == nullptr) {
        geometry_.carve(*serving_);
    } else {
        geometry_.put_in_order(*serving_);
    }
    serving_->live_count = serving_->carved_count;
    return std::exchange(serving_->free, nullptr);
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
    serving_ = geometry_.create_shard(memory);
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
    if (shard->live_count == 0 && shard != serving_) {
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
    const FreelistShard* found = nullptr;
    for_each_shard([&](const FreelistShard& shard) {
        if (&shard == candidate && geometry_.is_block(shard, block)) {
            found = &shard;
        }
    });
    return found;
}

template <PageSource Source, bool is_checked>
bool Freelist<Source, is_checked>::is_live(const void* block) const noexcept {
    const FreelistShard* const shard = find_shard(block);
    return shard != nullptr && geometry_.is_live(shard, block);
}

template <PageSource Source, bool is_checked>
FreelistStats Freelist<Source, is_checked>::stats() const noexcept {
    Stats stats;
    for_each_shard([&](const FreelistShard& shard) { geometry_.add_stats(shard, stats); });
    std::size_t held_count = last_freed_ != nullptr ? 1 : 0;
    for (const FreeBlock* block = free_; block != nullptr; block = block->next) {
        ++held_count;
    }
    stats.live_count -= held_count;
    stats.block_live_bytes -= held_count * geometry_.block_bytes;
    stats.rejected_frees = rejected_frees_;
    return stats;
}

} // namespace alloclab
