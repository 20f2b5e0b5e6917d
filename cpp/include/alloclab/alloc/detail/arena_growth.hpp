// SPDX-License-Identifier: MIT
#pragma once

// The slow half of Arena, part one: chunks come. Included by arena.hpp only.

#include <alloclab/alloc/arena.hpp>

namespace alloclab {

template <PageSource Source, ArenaTraits traits>
[[gnu::noinline]] void* Arena<Source, traits>::allocate_slow(std::size_t size,
                                                             std::size_t alignment) noexcept {
    size = std::max<std::size_t>(size, 1);
    const std::size_t needed_bytes = chunk_bytes_for(size, alignment);
    if (needed_bytes == 0) {
        return nullptr;
    }
    std::uintptr_t first = align_up(cursor_, alignment);
    if (chunk_ == nullptr || first >= end_ || size > end_ - first) {
        if (needed_bytes > options_.max_chunk_bytes) {
            return allocate_oversize(size, alignment);
        }
        const std::size_t missing_bytes = first - end_ + size; // first may be past the end
        if (!extend_chunk(missing_bytes) && !begin_chunk(needed_bytes)) {
            return nullptr;
        }
        first = align_up(cursor_, alignment);
    }
    cursor_ = first + taken_bytes(size);
    allow_touching(first, first + size);
    return reinterpret_cast<void*>(first);
}

template <PageSource Source, ArenaTraits traits>
void* Arena<Source, traits>::allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
    void* const block = allocate(size, alignment);
    if (block == nullptr) {
        return nullptr;
    }
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    const std::uintptr_t dirty_end = first == oversize_first_ ? oversize_->dirty_end : dirty_end_;
    if (first < dirty_end) {
        std::memset(block, 0, std::min<std::size_t>(size, dirty_end - first));
    }
    return block;
}

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::resize(void* block, std::size_t old_size, std::size_t new_size,
                                   std::size_t) noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    // A block of zero bytes takes one, or the next block would stand at its address.
    const std::size_t new_taken = taken_bytes(std::max<std::size_t>(new_size, 1));
    if (old_size == 0 || first + taken_bytes(old_size) != cursor_) {
        return new_size <= old_size;
    }
    if (new_size > end_ - first &&
        (new_size > options_.max_chunk_bytes || !extend_chunk(new_size - (end_ - first)))) {
        return false;
    }
    if (new_taken <= taken_bytes(old_size)) {
        move_cursor_back(first + new_taken);
    }
    cursor_ = first + new_taken;
    allow_touching(first, first + new_size);
    return true;
}

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::reserve_hint(std::size_t bytes) noexcept {
    const std::size_t needed_bytes = chunk_bytes_for(bytes, traits.min_alignment);
    if (bytes <= end_ - cursor_ || (spare_ != nullptr && spare_->bytes >= needed_bytes)) {
        return true;
    }
    if (needed_bytes == 0 || needed_bytes > options_.max_chunk_bytes) {
        return false;
    }
    if (bytes < end_ && extend_chunk(bytes - (end_ - cursor_))) {
        return true;
    }
    ArenaChunk* const chunk = map_chunk(std::max(needed_bytes, next_chunk_bytes_));
    if (chunk == nullptr) {
        return false;
    }
    next_chunk_bytes_ = grown_bytes(chunk->bytes);
    chunk->previous = spare_;
    make_spare(chunk);
    return true;
}

// What the chunk after one of `bytes` is.
template <PageSource Source, ArenaTraits traits>
std::size_t Arena<Source, traits>::grown_bytes(std::size_t bytes) const noexcept {
    if (options_.growth <= 1.0) {
        return options_.initial_bytes; // also after a chunk that a request made larger
    }
    const double grown = static_cast<double>(bytes) * options_.growth;
    const auto limit = static_cast<double>(options_.max_chunk_bytes);
    return align_down(static_cast<std::size_t>(std::min(grown, limit)), page_bytes);
}

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::begin_chunk(std::size_t needed_bytes) noexcept {
    ArenaChunk* chunk = take_spare(needed_bytes);
    if (chunk == nullptr) {
        const std::size_t wanted_bytes = std::max(next_chunk_bytes_, needed_bytes);
        chunk = map_chunk(wanted_bytes);
        if (chunk == nullptr && wanted_bytes > needed_bytes) {
            chunk = map_chunk(needed_bytes); // near a limit a small chunk is better than none
        }
        if (chunk == nullptr) {
            return false;
        }
        next_chunk_bytes_ = grown_bytes(chunk->bytes);
    }
    leave();
    chunk->previous = chunk_;
    chunk->serial = chunk_ != nullptr ? chunk_->serial + 1 : 1;
    enter(chunk);
    cursor_ = chunk->first();
    return true;
}

// Makes the chunk being filled longer, to the size the next one would have or by what is missing;
// spare chunks come first.
template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::extend_chunk(std::size_t missing_bytes) noexcept {
    if constexpr (ExtendingSource<Source>) {
        if (!options_.extend || chunk_ == nullptr || spare_ != nullptr) {
            return false;
        }
        const std::size_t least_bytes = chunk_->bytes + align_up(missing_bytes, page_bytes);
        const std::size_t new_bytes = std::max(grown_bytes(chunk_->bytes), least_bytes);
        if (new_bytes <= chunk_->bytes || new_bytes > options_.max_chunk_bytes ||
            !source_.extend(chunk_, chunk_->bytes, new_bytes)) {
            return false;
        }
        forbid_touching(end_, chunk_->first() - sizeof(ArenaChunk) + new_bytes);
        chunk_->bytes = new_bytes;
        end_ = chunk_->end();
        if (!Source::maps_zeroed) {
            dirty_end_ = end_;
        }
        next_chunk_bytes_ = grown_bytes(new_bytes);
        return true;
    }
    return false;
}

template <PageSource Source, ArenaTraits traits>
void* Arena<Source, traits>::allocate_oversize(std::size_t size, std::size_t alignment) noexcept {
    const std::size_t needed_bytes = chunk_bytes_for(size, alignment);
    ArenaChunk* chunk = take_spare(needed_bytes);
    if (chunk == nullptr) {
        chunk = map_chunk(needed_bytes);
    }
    if (chunk == nullptr) {
        return nullptr;
    }
    chunk->previous = oversize_;
    chunk->serial = next_oversize_serial_++;
    oversize_ = chunk;
    oversize_first_ = chunk->block = align_up(chunk->first(), alignment);
    chunk->closed_at = oversize_first_ + size;
    allow_touching(chunk->block, chunk->closed_at);
    return reinterpret_cast<void*>(oversize_first_);
}

template <PageSource Source, ArenaTraits traits>
ArenaChunk* Arena<Source, traits>::map_chunk(std::size_t bytes) noexcept {
    auto* const chunk = static_cast<ArenaChunk*>(source_.map(bytes, page_bytes));
    if (chunk != nullptr) {
        chunk->previous = nullptr;
        chunk->bytes = bytes;
        chunk->closed_at = chunk->first();
        chunk->dirty_end = Source::maps_zeroed ? chunk->first() : chunk->end();
        forbid_touching(chunk->first(), chunk->end());
    }
    return chunk;
}

// The first spare chunk that is large enough, looking at a few only: equal chunks fit at once, and
// a request no spare chunk fits must not pay for their number.
template <PageSource Source, ArenaTraits traits>
ArenaChunk* Arena<Source, traits>::take_spare(std::size_t needed_bytes) noexcept {
    constexpr int look_limit = 8;
    ArenaChunk** link = &spare_;
    for (int look_count = 0; *link != nullptr && look_count < look_limit; ++look_count) {
        ArenaChunk* const chunk = *link;
        if (chunk->bytes >= needed_bytes) {
            *link = chunk->previous;
            chunk->closed_at = chunk->first();
            if constexpr (ProtectingSource<Source>) {
                if (protects_spare() && chunk->bytes > page_bytes) {
                    source_.unprotect(reinterpret_cast<std::byte*>(chunk) + page_bytes,
                                      chunk->bytes - page_bytes);
                }
            }
            return chunk;
        }
        link = &chunk->previous;
    }
    return nullptr;
}

// Makes `chunk` the one being filled; the caller sets the cursor.
template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::enter(ArenaChunk* chunk) noexcept {
    chunk_ = chunk;
    end_ = chunk != nullptr ? chunk->end() : 0;
    dirty_end_ = chunk != nullptr ? chunk->dirty_end : 0;
    cursor_ = chunk != nullptr ? chunk->closed_at : 0;
}

// Writes down where the chunk being filled stands.
template <PageSource Source, ArenaTraits traits> void Arena<Source, traits>::leave() noexcept {
    if (chunk_ != nullptr) {
        chunk_->closed_at = cursor_;
        chunk_->dirty_end = std::max(dirty_end_, cursor_);
    }
}

} // namespace alloclab
