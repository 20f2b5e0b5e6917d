// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/freelist_shard.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <bit>
#include <utility>

namespace alloclab {

// Blocks of one size from equal chunks, each of which keeps the numbers of its free blocks: after
// frees in any order the next allocations stay within one chunk, both calls are O(1), and neither
// touches a block that is free. What was freed last into the serving chunk comes first, while it is
// in the processor's cache, then the one block freed last into any other, which is kept aside;
// other chunks are put in address order when they begin to serve. Chunks that are empty go back to
// the page source but for the serving one and a spare. One thread at a time. With `is_checked` (the
// default in Debug builds) a free of a foreign or free block is counted and ignored, at O(chunks) a
// free; without it such a free is undefined. See docs/allocators/freelist.md.
//   the serving chunk and spare_, which is empty, are in no chain; of the others partial_ holds
//   those with a free block, full_ the rest; returning_ is another chunk than serving_
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
        if (serving_.top == serving_.bottom) [[unlikely]] {
            return allocate_slow();
        }
        return take_serving();
    }

    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block == nullptr || (is_checked && !is_live(block))) [[unlikely]] {
            rejected_frees_ += block != nullptr;
            return;
        }
        note_deallocated(block);
        FreelistShard* const shard = shard_of(block);
        if (shard == serving_.shard) [[likely]] {
            *serving_.top++ = geometry_.number_of(shard, block);
            return;
        }
        if (void* const before = std::exchange(aside_, block)) {
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
        returning_ = {};
        aside_ = nullptr;
        for (FreelistShard* const kept : {std::exchange(serving_, {}).shard, spare_}) {
            if (kept != nullptr) {
                source_.unmap(kept, geometry_.chunk_bytes);
            }
        }
        spare_ = nullptr;
        drop_list(partial_);
        drop_list(full_);
    }

    bool owns(const void* block) const noexcept {
        return find_shard(block) != nullptr;
    } // O(chunks)
    std::size_t block_bytes() const noexcept { return geometry_.block_bytes; }
    std::size_t block_alignment() const noexcept { return geometry_.alignment; }
    Stats stats() const noexcept; // Cost: O(chunks).
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    Source& source() noexcept { return source_; }

private:
    FreelistShard* shard_of(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        return reinterpret_cast<FreelistShard*>(address & ~(geometry_.shard_alignment - 1));
    }
    void* take_serving() noexcept {
        std::byte* const block = serving_first_ + geometry_.block_bytes * *--serving_.top;
        note_allocated(block);
        return block;
    }
    // Its chunk may have begun to serve while the block was aside.
    void return_to_shard(void* block) noexcept {
        FreelistShard* const shard = shard_of(block);
        if (shard == serving_.shard) [[unlikely]] {
            *serving_.top++ = geometry_.number_of(shard, block);
            return;
        }
        if (shard != returning_.shard) {
            begin_returning(shard);
        }
        *returning_.top++ = geometry_.number_of(shard, block);
        if (returning_.top == returning_.stop) [[unlikely]] {
            drop_returning();
        }
    }
    void* allocate_slow() noexcept;
    bool refill() noexcept;
    void begin_returning(FreelistShard* shard) noexcept;
    void drop_returning() noexcept;
    FreelistShard* add_shard() noexcept;
    void drop_list(ShardList& list) noexcept;
    template <class Visit> void for_each_shard(Visit visit) const noexcept {
        for (const FreelistShard* const kept : {serving_.shard, spare_}) {
            if (kept != nullptr) {
                visit(*kept);
            }
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

    OpenShard serving_;     // what is allocated from, and freed into
    OpenShard returning_;   // the other chunk that was freed into last
    void* aside_ = nullptr; // freed last of those that are not the serving chunk's
    std::byte* serving_first_ = nullptr;
    FreelistShard* spare_ = nullptr; // so that a chunk more or less is not mapped over and over
    ShardList partial_;
    ShardList full_;
    FreelistGeometry geometry_;
    std::size_t rejected_frees_ = 0;
    [[no_unique_address]] Source source_;
};

template <PageSource Source, bool is_checked>
[[gnu::noinline]] void* Freelist<Source, is_checked>::allocate_slow() noexcept {
    if (aside_ != nullptr) {
        note_allocated(aside_);
        return std::exchange(aside_, nullptr);
    }
    return refill() ? take_serving() : nullptr;
}

// The serving chunk has no free block: takes blocks of it that were never used, or goes on to the
// next chunk, or maps one. Returns whether there is a block now.
template <PageSource Source, bool is_checked>
[[gnu::noinline]] bool Freelist<Source, is_checked>::refill() noexcept {
    if (serving_.shard != nullptr) {
        if (geometry_.carve(serving_)) {
            return true;
        }
        serving_.shard->is_full = true;
        full_.push_front(serving_.shard);
        serving_.close();
    }
    returning_.close(); // it may be the next one
    FreelistShard* next = partial_.first;
    if (next != nullptr) {
        partial_.unlink(next);
    } else {
        next = std::exchange(spare_, nullptr);
    }
    if (next != nullptr) {
        geometry_.put_in_order(*next);
    } else if ((next = add_shard()) == nullptr) {
        return false;
    }
    serving_.open(next, geometry_.numbers_of(next));
    serving_first_ = reinterpret_cast<std::byte*>(next) + geometry_.first_offset;
    return serving_.top != serving_.bottom || geometry_.carve(serving_);
}

// Returns null when there is no memory.
template <PageSource Source, bool is_checked>
FreelistShard* Freelist<Source, is_checked>::add_shard() noexcept {
    if (geometry_.chunk_bytes == 0) {
        return nullptr;
    }
    void* const memory = source_.map(geometry_.chunk_bytes, geometry_.shard_alignment);
    return memory != nullptr ? geometry_.create_shard(memory) : nullptr;
}

template <PageSource Source, bool is_checked>
[[gnu::noinline]] void
Freelist<Source, is_checked>::begin_returning(FreelistShard* shard) noexcept {
    returning_.write_back();
    returning_.open(shard, geometry_.numbers_of(shard));
    if (shard->is_full) {
        shard->is_full = false;
        full_.unlink(shard);
        // Last in turn, so that more blocks come back to it before it serves: a chunk that served
        // at once would be full again at once.
        partial_.push_back(shard);
    }
}

// No block of that chunk lives any more.
template <PageSource Source, bool is_checked>
[[gnu::noinline]] void Freelist<Source, is_checked>::drop_returning() noexcept {
    FreelistShard* const shard = returning_.shard;
    returning_.close();
    partial_.unlink(shard);
    if (spare_ == nullptr) {
        spare_ = shard;
    } else {
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
    for (OpenShard open : {serving_, returning_}) {
        open.write_back();
    }
    for_each_shard([&](const FreelistShard& shard) { geometry_.add_stats(shard, stats); });
    if (aside_ != nullptr) {
        --stats.live_count;
        stats.block_live_bytes -= geometry_.block_bytes;
    }
    stats.rejected_frees = rejected_frees_;
    return stats;
}

} // namespace alloclab
