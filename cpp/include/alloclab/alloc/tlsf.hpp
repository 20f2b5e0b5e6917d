// SPDX-License-Identifier: MIT
// Two-level segregated fit: M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a new dynamic memory
// allocator for real-time systems" (ECRTS 2004). Changed: 32 classes a doubling; a block that only
// gains or loses bytes within its class stays in its list; a request that rounding would refuse is
// looked for in its own class too, among the 16 newest.
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/tlsf/blocks.hpp>
#include <alloclab/alloc/tlsf_options.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <utility>

namespace alloclab {

// Blocks of any size with a bounded number of steps a call: good fit from two levels of free lists,
// freed blocks joined to their free neighbours at once, 8 bytes a block. One thread at a time.
// `Visits::visit()` is told of each block head that is looked at. See docs/allocators/tlsf.md.
//   reserved bytes = sum over chunks of bytes;  retained_bytes_ = sum over the empty ones
template <PageSource Source = OsPageSource, class Visits = tlsf::NoVisits> class Tlsf {
public:
    using Options = TlsfOptions;
    using Stats = TlsfStats;
    static constexpr Options default_options{};

    explicit Tlsf(const Options& options = default_options, Source source = Source{}) noexcept
        : options_(options), source_(std::move(source)) {
        options_.initial_bytes = align_up(std::max(options_.initial_bytes, page_bytes), page_bytes);
        options_.max_chunk_bytes =
            std::max(align_down(options_.max_chunk_bytes, page_bytes), options_.initial_bytes);
        next_chunk_bytes_ = options_.initial_bytes;
    }
    ~Tlsf() { unmap_all(); }
    Tlsf(const Tlsf&) = delete;
    Tlsf& operator=(const Tlsf&) = delete;

    // Returns null when no free block is large enough and the page source refuses. Cost: O(1), a
    // fixed number of steps; now and then a mapping.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t span = tlsf::span_for(size);
        if (alignment > tlsf::granule_bytes || span == 0) [[unlikely]] {
            return allocate_aligned(span, alignment);
        }
        tlsf::Block* block = blocks_.find(span);
        if (block == nullptr && (block = grow(span)) == nullptr) [[unlikely]] {
            return nullptr;
        }
        return take(block, span);
    }

    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block == nullptr) [[unlikely]] {
            return;
        }
        tlsf::Block* const joined = blocks_.release(tlsf::Block::of(block));
        if (joined->is_first() && joined->next()->span() == 0) [[unlikely]] {
            retire(tlsf::Chunk::of(joined));
        }
    }

    // Shrinks any block, and grows one into the free block behind it. A block never moves, so it
    // keeps whatever alignment it has.
    bool resize(void* block, std::size_t, std::size_t new_size, std::size_t) noexcept {
        const std::size_t span = tlsf::span_for(new_size);
        return block != nullptr && span != 0 && blocks_.resize(tlsf::Block::of(block), span);
    }

    std::size_t usable_size(const void* block) const noexcept {
        return block != nullptr ? tlsf::Block::of(block)->usable_bytes() : 0;
    }

    // Ends the life of every block; keeps chunks up to `retain_bytes`. Cost: O(chunks).
    void reset() noexcept;

    bool owns(const void* block) const noexcept; // Cost: O(chunks).
    Stats stats() const noexcept;                // Cost: O(blocks).
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    // Whether blocks, flags, lists and bits agree. Cost: O(blocks).
    bool check_invariants() const noexcept;
    Source& source() noexcept { return source_; }

private:
    void* take(tlsf::Block* block, std::size_t span) noexcept {
        if (block->is_first()) [[unlikely]] {
            leave_retained(block);
        }
        blocks_.take(block, span);
        return block->memory();
    }
    void leave_retained(tlsf::Block* first) noexcept {
        if (first->is_whole_chunk()) {
            retained_bytes_ -= tlsf::Chunk::of(first)->bytes;
        }
    }
    void* allocate_aligned(std::size_t span, std::size_t alignment) noexcept;
    tlsf::Block* grow(std::size_t span) noexcept;
    void retire(tlsf::Chunk* chunk) noexcept;
    void drop(tlsf::Chunk* chunk) noexcept;
    void unmap_all() noexcept;

    tlsf::Blocks<Visits> blocks_;
    tlsf::Chunk* chunks_ = nullptr;
    std::size_t next_chunk_bytes_ = 0;
    std::size_t retained_bytes_ = 0;
    Options options_;
    [[no_unique_address]] Source source_;
};

} // namespace alloclab

#include <alloclab/alloc/detail/tlsf_chunks.hpp>
