// SPDX-License-Identifier: MIT
#pragma once

// The slow half of Arena: chunks come, are kept, and go. Included by arena.hpp only.

#include <alloclab/alloc/arena.hpp>

namespace alloclab {

template <PageSource Source>
[[gnu::noinline]] void* Arena<Source>::allocate_slow(std::size_t size,
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
        if (!begin_chunk(needed_bytes)) {
            return nullptr;
        }
        first = align_up(cursor_, alignment);
    }
    cursor_ = first + size;
    return reinterpret_cast<void*>(first);
}

template <PageSource Source>
void* Arena<Source>::allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
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

template <PageSource Source>
bool Arena<Source>::resize(void* block, std::size_t old_size, std::size_t new_size,
                           std::size_t) noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    if (first + old_size != cursor_ || old_size == 0) {
        return new_size <= old_size;
    }
    if (new_size > end_ - first) {
        return false;
    }
    // A block of zero bytes still keeps one, or the next block would stand at its address.
    move_cursor_back(first + std::max<std::size_t>(new_size, 1));
    return true;
}

template <PageSource Source> bool Arena<Source>::begin_chunk(std::size_t needed_bytes) noexcept {
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
        const double grown_bytes = static_cast<double>(chunk->bytes) * options_.growth;
        // Growth 1 keeps every chunk but the ones a request made larger at the initial size.
        next_chunk_bytes_ = options_.growth <= 1.0
                                ? options_.initial_bytes
                                : static_cast<std::size_t>(std::min(
                                      grown_bytes, static_cast<double>(options_.max_chunk_bytes)));
        next_chunk_bytes_ = align_down(next_chunk_bytes_, page_bytes);
    }
    leave();
    chunk->previous = chunk_;
    enter(chunk);
    cursor_ = chunk->first();
    return true;
}

template <PageSource Source>
void* Arena<Source>::allocate_oversize(std::size_t size, std::size_t alignment) noexcept {
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
    return reinterpret_cast<void*>(oversize_first_);
}

template <PageSource Source> [[gnu::noinline]] void Arena<Source>::drop_newest_oversize() noexcept {
    ArenaChunk* const dropped = oversize_;
    oversize_ = dropped->previous;
    source_.unmap(dropped, dropped->bytes);
    oversize_first_ = oversize_ != nullptr ? oversize_->block : no_address;
}

// Makes `chunk` the one being filled; the caller sets the cursor.
template <PageSource Source> void Arena<Source>::enter(ArenaChunk* chunk) noexcept {
    chunk_ = chunk;
    end_ = chunk != nullptr ? chunk->end() : 0;
    dirty_end_ = chunk != nullptr ? chunk->dirty_end : 0;
    cursor_ = chunk != nullptr ? chunk->closed_at : 0;
}

// Writes down where the chunk being filled stands.
template <PageSource Source> void Arena<Source>::leave() noexcept {
    if (chunk_ != nullptr) {
        chunk_->closed_at = cursor_;
        chunk_->dirty_end = std::max(dirty_end_, cursor_);
    }
}

template <PageSource Source> ArenaChunk* Arena<Source>::map_chunk(std::size_t bytes) noexcept {
    auto* const chunk = static_cast<ArenaChunk*>(source_.map(bytes, page_bytes));
    if (chunk != nullptr) {
        chunk->previous = nullptr;
        chunk->bytes = bytes;
        chunk->closed_at = chunk->first();
        chunk->dirty_end = Source::maps_zeroed ? chunk->first() : chunk->end();
    }
    return chunk;
}

// The first spare chunk that is large enough, looking at a few only: equal chunks fit at once, and
// a request no spare chunk fits must not pay for their number.
template <PageSource Source>
ArenaChunk* Arena<Source>::take_spare(std::size_t needed_bytes) noexcept {
    constexpr int look_limit = 8;
    ArenaChunk** link = &spare_;
    for (int look_count = 0; *link != nullptr && look_count < look_limit; ++look_count) {
        ArenaChunk* const chunk = *link;
        if (chunk->bytes >= needed_bytes) {
            *link = chunk->previous;
            chunk->closed_at = chunk->first();
            return chunk;
        }
        link = &chunk->previous;
    }
    return nullptr;
}

template <PageSource Source> void Arena<Source>::rewind(Mark to) noexcept {
    leave();
    ArenaChunk* chunk = chunk_;
    while (chunk != to.chunk) {
        ArenaChunk* const older = chunk->previous;
        chunk->previous = spare_;
        spare_ = chunk;
        chunk = older;
    }
    enter(chunk);
    cursor_ = std::min(cursor_, to.cursor);
    while (oversize_ != nullptr && oversize_->serial >= to.oversize_serial) {
        drop_newest_oversize();
    }
}

template <PageSource Source> void Arena<Source>::reset(ResetMode mode) noexcept {
    leave();
    ArenaChunk* filled = chunk_;
    enter(nullptr);
    oversize_first_ = no_address;
    if (mode == ResetMode::free_all) {
        unmap_all(filled);
        unmap_all(oversize_);
        unmap_all(spare_);
        next_chunk_bytes_ = options_.initial_bytes;
        return;
    }
    // Regular chunks in the order they were begun, then what was spare already, then mappings of
    // their own: the next round meets them in the order of this one.
    ArenaChunk** tail = &spare_;
    while (*tail != nullptr) {
        tail = &(*tail)->previous;
    }
    *tail = oversize_;
    for (ArenaChunk* chunk = oversize_; chunk != nullptr; chunk = chunk->previous) {
        chunk->dirty_end = std::max(chunk->dirty_end, chunk->closed_at);
    }
    oversize_ = nullptr;
    while (filled != nullptr) {
        ArenaChunk* const older = filled->previous;
        filled->previous = spare_;
        spare_ = filled;
        filled = older;
    }
    if (mode == ResetMode::retain_with_limit) {
        keep_spare(options_.retain_limit_bytes);
    }
}

template <PageSource Source> void Arena<Source>::unmap_all(ArenaChunk*& list) noexcept {
    while (list != nullptr) {
        ArenaChunk* const chunk = list;
        list = chunk->previous;
        source_.unmap(chunk, chunk->bytes);
    }
}

// Gives spare chunks back from the first on that would bring their sum above the limit.
template <PageSource Source> void Arena<Source>::keep_spare(std::size_t limit_bytes) noexcept {
    ArenaChunk** link = &spare_;
    while (*link != nullptr && (*link)->bytes <= limit_bytes) {
        limit_bytes -= (*link)->bytes;
        link = &(*link)->previous;
    }
    if (*link != nullptr) {
        next_chunk_bytes_ =
            std::min(next_chunk_bytes_, std::max((*link)->bytes, options_.initial_bytes));
    }
    unmap_all(*link);
}

template <PageSource Source> bool Arena<Source>::owns(const void* block) const noexcept {
    for (const ArenaChunk* list : {chunk_, oversize_}) {
        for (; list != nullptr; list = list->previous) {
            if (list->contains(block)) {
                return true;
            }
        }
    }
    return false;
}

template <PageSource Source> ArenaStats Arena<Source>::stats() const noexcept {
    Stats stats;
    const auto add = [&stats](const ArenaChunk* chunk, std::uintptr_t dirty_end) {
        const auto start = reinterpret_cast<std::uintptr_t>(chunk);
        stats.reserved_bytes += chunk->bytes;
        stats.header_bytes += sizeof(ArenaChunk);
        stats.committed_bytes += align_up(dirty_end, page_bytes) - start;
    };
    for (const ArenaChunk* chunk = chunk_; chunk != nullptr; chunk = chunk->previous) {
        const bool is_filling = chunk == chunk_;
        const std::uintptr_t blocks_end = is_filling ? cursor_ : chunk->closed_at;
        add(chunk, is_filling ? std::max(dirty_end_, cursor_) : chunk->dirty_end);
        stats.used_bytes += blocks_end - chunk->first();
        (is_filling ? stats.room_bytes : stats.tail_waste_bytes) += chunk->end() - blocks_end;
        ++stats.chunk_count;
    }
    for (const ArenaChunk* chunk = oversize_; chunk != nullptr; chunk = chunk->previous) {
        add(chunk, std::max(chunk->dirty_end, chunk->closed_at));
        stats.used_bytes += chunk->closed_at - chunk->first();
        stats.tail_waste_bytes += chunk->end() - chunk->closed_at;
        ++stats.oversize_count;
    }
    for (const ArenaChunk* chunk = spare_; chunk != nullptr; chunk = chunk->previous) {
        add(chunk, chunk->dirty_end);
        stats.spare_bytes += chunk->bytes - sizeof(ArenaChunk);
        ++stats.spare_count;
    }
    return stats;
}

} // namespace alloclab
