// SPDX-License-Identifier: MIT
#pragma once

// The rare half of tlsf.hpp: chunks coming and going, alignment, and looking at it all.

namespace alloclab {

template <PageSource Source, class Visits>
[[gnu::noinline]] void* Tlsf<Source, Visits>::allocate_aligned(std::size_t span,
                                                               std::size_t alignment) noexcept {
    if (span == 0 || alignment > tlsf::max_span / 4) {
        return nullptr;
    }
    // Whatever stands before the block must be nothing or a block of its own.
    const std::size_t searched = span + alignment + tlsf::min_span;
    tlsf::Block* block = blocks_.find(span);
    if (block == nullptr || block->address() % alignment != 0) {
        block = blocks_.find(searched);
        if (block == nullptr && (block = grow(searched)) == nullptr) {
            return nullptr;
        }
    }
    std::size_t gap = align_up(block->address(), alignment) - block->address();
    if (gap != 0) {
        if (gap < tlsf::min_span) {
            gap += align_up(tlsf::min_span - gap, alignment);
        }
        if (block->is_first()) {
            leave_retained(block);
        }
        block = blocks_.skip(block, gap);
    }
    return take(block, span);
}

template <PageSource Source, class Visits>
[[gnu::noinline]] tlsf::Block* Tlsf<Source, Visits>::grow(std::size_t span) noexcept {
    const std::size_t needed_bytes = align_up(span + tlsf::chunk_overhead_bytes, page_bytes);
    std::size_t bytes = std::max(next_chunk_bytes_, needed_bytes);
    void* memory = source_.map(bytes, page_bytes);
    if (memory == nullptr && bytes > needed_bytes) {
        bytes = needed_bytes;
        memory = source_.map(bytes, page_bytes);
    }
    if (memory == nullptr) {
        return nullptr;
    }
    next_chunk_bytes_ = std::min(next_chunk_bytes_ * 2, options_.max_chunk_bytes);
    auto* const chunk = static_cast<tlsf::Chunk*>(memory);
    *chunk = {chunks_, nullptr, bytes, 0};
    if (chunks_ != nullptr) {
        chunks_->previous = chunk;
    }
    chunks_ = chunk;
    blocks_.add_chunk(chunk);
    retained_bytes_ += bytes;
    return chunk->first();
}

// A chunk has become one free block.
template <PageSource Source, class Visits>
[[gnu::noinline]] void Tlsf<Source, Visits>::retire(tlsf::Chunk* chunk) noexcept {
    retained_bytes_ += chunk->bytes;
    if (retained_bytes_ > options_.retain_bytes && retained_bytes_ != chunk->bytes) {
        drop(chunk);
    }
}

// Requires: the chunk is one free block.
template <PageSource Source, class Visits>
void Tlsf<Source, Visits>::drop(tlsf::Chunk* chunk) noexcept {
    blocks_.remove_chunk(chunk);
    retained_bytes_ -= chunk->bytes;
    (chunk->previous != nullptr ? chunk->previous->next : chunks_) = chunk->next;
    if (chunk->next != nullptr) {
        chunk->next->previous = chunk->previous;
    }
    source_.unmap(chunk, chunk->bytes);
}

template <PageSource Source, class Visits> void Tlsf<Source, Visits>::unmap_all() noexcept {
    while (tlsf::Chunk* const chunk = chunks_) {
        chunks_ = chunk->next;
        source_.unmap(chunk, chunk->bytes);
    }
}

template <PageSource Source, class Visits> void Tlsf<Source, Visits>::reset() noexcept {
    blocks_.clear();
    retained_bytes_ = 0;
    for (tlsf::Chunk* chunk = chunks_; chunk != nullptr;) {
        tlsf::Chunk* const next = chunk->next;
        blocks_.add_chunk(chunk);
        retire(chunk);
        chunk = next;
    }
}

template <PageSource Source, class Visits>
bool Tlsf<Source, Visits>::owns(const void* block) const noexcept {
    for (const tlsf::Chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
        if (chunk->contains(block)) {
            return true;
        }
    }
    return false;
}

template <PageSource Source, class Visits> TlsfStats Tlsf<Source, Visits>::stats() const noexcept {
    Stats stats;
    for (const tlsf::Chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
        ++stats.chunk_count;
        stats.reserved_bytes += chunk->bytes;
        stats.header_bytes += tlsf::chunk_overhead_bytes;
        for (const tlsf::Block* block = chunk->first(); block->span() != 0; block = block->next()) {
            const std::size_t bytes = block->usable_bytes();
            stats.header_bytes += block->span() - bytes;
            (block->is_free() ? stats.free_bytes : stats.block_live_bytes) += bytes;
            ++(block->is_free() ? stats.free_count : stats.live_count);
            if (block->is_free()) {
                stats.largest_free_bytes = std::max(stats.largest_free_bytes, bytes);
            }
        }
    }
    stats.committed_bytes = stats.reserved_bytes;
    return stats;
}

template <PageSource Source, class Visits>
bool Tlsf<Source, Visits>::check_invariants() const noexcept {
    bool holds = true;
    std::size_t free_count = 0;
    std::size_t whole_bytes = 0;
    for (const tlsf::Chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
        const tlsf::Block* before = nullptr;
        std::size_t spans = 0;
        const tlsf::Block* block = chunk->first();
        whole_bytes += block->is_whole_chunk() ? chunk->bytes : 0;
        for (; block->span() != 0; block = block->next()) {
            const bool follows_free = before != nullptr && before->is_free();
            holds &= block->is_previous_free() == follows_free;
            holds &= !follows_free || (!block->is_free() && block->previous == before);
            holds &= block->is_first() == (before == nullptr);
            free_count += block->is_free();
            spans += block->span();
            before = block;
        }
        holds &= block->is_previous_free() == before->is_free();
        holds &= spans == chunk->bytes - tlsf::chunk_overhead_bytes;
    }
    for (unsigned class_idx = 0; class_idx < tlsf::class_of(2 * tlsf::max_span - 1); ++class_idx) {
        const tlsf::Block* block = blocks_.index().head(class_idx);
        holds &= (block != nullptr) == blocks_.index().has_bit(class_idx);
        for (; block != nullptr; block = block->next_free) {
            holds &= block->is_free() && tlsf::class_of(block->span()) == class_idx;
            holds &= *block->link_to_this_free == block;
            --free_count;
        }
    }
    return holds && free_count == 0 && whole_bytes == retained_bytes_;
}

} // namespace alloclab
