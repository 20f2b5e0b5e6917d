// SPDX-License-Identifier: MIT
#pragma once

// The slow half of Arena, part two: chunks are kept, and go. Included by arena.hpp only.

#include <alloclab/alloc/arena.hpp>

namespace alloclab {

template <PageSource Source, ArenaTraits traits>
ArenaMark Arena<Source, traits>::mark() const noexcept {
    return {chunk_, cursor_, next_oversize_serial_, epoch_, identity()};
}

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::accepts(const Mark& to) const noexcept {
    if (to.owner != identity() || to.epoch < reset_epoch_ ||
        to.oversize_serial > next_oversize_serial_) {
        return false;
    }
    const ArenaChunk* chunk = chunk_;
    while (chunk != nullptr && chunk != to.chunk) {
        chunk = chunk->previous;
    }
    if (chunk != to.chunk) {
        return false;
    }
    const std::uintptr_t top = chunk == chunk_ ? cursor_ : chunk == nullptr ? 0 : chunk->closed_at;
    const std::size_t serial = chunk != nullptr ? chunk->serial : 0;
    return to.cursor <= top && !mark_log_.is_overtaken(to.epoch, serial, to.cursor);
}

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::rewind(Mark to) noexcept {
    if (!accepts(to)) {
        ++refused_rewind_count_;
        return false;
    }
    leave();
    ArenaChunk* chunk = chunk_;
    while (chunk != to.chunk) {
        ArenaChunk* const older = chunk->previous;
        chunk->previous = spare_;
        make_spare(chunk);
        chunk = older;
    }
    enter(chunk);
    end_blocks(to.cursor, cursor_);
    if (chunk != nullptr) {
        dirty_end_ = std::max(dirty_end_, cursor_);
    }
    cursor_ = to.cursor;
    while (oversize_ != nullptr && oversize_->serial >= to.oversize_serial) {
        drop_newest_oversize();
    }
    mark_log_.note_rewind(++epoch_, chunk != nullptr ? chunk->serial : 0, cursor_);
    return true;
}

// Shows that what stood in [first, end) is dead, as the options ask.
template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::end_blocks(std::uintptr_t first, std::uintptr_t end) noexcept {
    if (options_.poison != ArenaPoison::none) {
        fill_dead(first, end);
    }
    if (first < end) {
        forbid_touching(first, end);
    }
}

template <PageSource Source, ArenaTraits traits>
[[gnu::noinline]] void Arena<Source, traits>::drop_newest_oversize() noexcept {
    ArenaChunk* const dropped = oversize_;
    oversize_ = dropped->previous;
    unmap(dropped);
    oversize_first_ = oversize_ != nullptr ? oversize_->block : no_address;
}

template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::reset(ResetMode mode) noexcept {
    leave();
    ArenaChunk* filled = chunk_;
    enter(nullptr);
    oversize_first_ = no_address;
    reset_epoch_ = ++epoch_;
    mark_log_.clear();
    ++reset_count_;
    if (mode == ResetMode::free_all) {
        unmap_all(filled);
        unmap_all(oversize_);
        unmap_all(spare_);
        next_chunk_bytes_ = options_.initial_bytes;
        return;
    }
    // Regular chunks in the order they were begun, then what was spare already, then mappings of
    // their own: the next round meets them in the order of this one.
    ArenaChunk* oversize = std::exchange(oversize_, nullptr);
    ArenaChunk* const spare = std::exchange(spare_, nullptr);
    while (oversize != nullptr) {
        ArenaChunk* const older = oversize->previous;
        oversize->dirty_end = std::max(oversize->dirty_end, oversize->closed_at);
        oversize->previous = spare_;
        make_spare(oversize);
        oversize = older;
    }
    if (spare != nullptr) {
        ArenaChunk* last = spare;
        while (last->previous != nullptr) {
            last = last->previous;
        }
        last->previous = std::exchange(spare_, spare);
    }
    while (filled != nullptr) {
        ArenaChunk* const older = filled->previous;
        filled->previous = spare_;
        make_spare(filled);
        filled = older;
    }
    if (mode == ResetMode::retain_with_limit) {
        keep_spare(options_.retain_limit_bytes);
    }
}

// Puts a chunk, its link set by the caller, first among the spare ones.
template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::make_spare(ArenaChunk* chunk) noexcept {
    spare_ = chunk;
    end_blocks(chunk->first(), chunk->closed_at);
    if constexpr (ProtectingSource<Source>) {
        if (protects_spare() && chunk->bytes > page_bytes) { // the head is read while it is spare
            source_.protect(reinterpret_cast<std::byte*>(chunk) + page_bytes,
                            chunk->bytes - page_bytes);
        }
    }
}

template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::unmap(ArenaChunk* chunk) noexcept {
    allow_touching(chunk->first(), chunk->end()); // the next owner of the pages may touch them
    source_.unmap(chunk, chunk->bytes);
}

template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::unmap_all(ArenaChunk*& list) noexcept {
    while (list != nullptr) {
        ArenaChunk* const chunk = list;
        list = chunk->previous;
        unmap(chunk);
    }
}

// Gives spare chunks back from the first on that would bring their sum above the limit.
template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::keep_spare(std::size_t limit_bytes) noexcept {
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

template <PageSource Source, ArenaTraits traits>
bool Arena<Source, traits>::owns(const void* block) const noexcept {
    for (const ArenaChunk* list : {chunk_, oversize_}) {
        for (; list != nullptr; list = list->previous) {
            if (list->contains(block)) {
                return true;
            }
        }
    }
    return false;
}

template <PageSource Source, ArenaTraits traits>
ArenaStats Arena<Source, traits>::stats() const noexcept {
    Stats stats;
    stats.reset_count = reset_count_;
    stats.refused_rewind_count = refused_rewind_count_;
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

template <PageSource Source, ArenaTraits traits>
void Arena<Source, traits>::visit_stats(StatVisitor visitor) const noexcept {
    const Stats found = stats();
    visitor("reserved_bytes", found.reserved_bytes);
    visitor("committed_bytes", found.committed_bytes);
    visitor("used_bytes", found.used_bytes);
    visitor("tail_waste_bytes", found.tail_waste_bytes);
    visitor("room_bytes", found.room_bytes);
    visitor("spare_bytes", found.spare_bytes);
    visitor("header_bytes", found.header_bytes);
    visitor("chunk_count", found.chunk_count);
    visitor("oversize_count", found.oversize_count);
    visitor("reset_count", found.reset_count);
    visitor("refused_rewind_count", found.refused_rewind_count);
}

} // namespace alloclab
