// SPDX-License-Identifier: MIT
#pragma once

// The slow half of ThreadCache: rows come, grow, are filled and emptied. Included by
// thread_cache.hpp only.

#include <alloclab/alloc/pool/thread_cache.hpp>

namespace alloclab::pool {

template <PageSource Source>
[[gnu::noinline]] void* ThreadCache::allocate_large(Heap<Source>& heap, std::size_t size,
                                                    std::size_t alignment,
                                                    bool is_zeroed) noexcept {
    void* const block = heap.allocate_large(size, alignment, is_zeroed, relief());
    tick(heap);
    return block;
}

template <PageSource Source>
void* ThreadCache::reallocate_large(Heap<Source>& heap, void* block,
                                    std::size_t new_size) noexcept {
    void* const moved = heap.reallocate_large(block, new_size, relief());
    tick(heap);
    return moved;
}

// Gets the thread its slots. Returns false when it must do without: it has ended, or there is no
// memory for them, or it is this very call that needs memory.
template <PageSource Source>
[[gnu::noinline, gnu::cold]] bool ThreadCache::attach(Heap<Source>& heap) noexcept {
    if (state_ != State::unattached) {
        return state_ == State::attached;
    }
    if (!heap.is_open()) { // before its classes are read
        return false;
    }
    const SizeClassTable& classes = heap.classes();
    void* const memory =
        heap.allocate_large(classes.cache_slot_count * sizeof(void*), 1, false, [](auto&) {});
    if (memory == nullptr) {
        return false;
    }
    slots_ = static_cast<void**>(memory);
    slot_bytes_ = heap.usable_size(memory);
    for (std::uint32_t class_idx = 1; class_idx <= classes.class_count; ++class_idx) {
        const SizeClass& size_class = classes.classes[class_idx];
        void** const first = slots_ + size_class.cache_offset;
        *first = nullptr;
        rows_[class_idx] = {first, first + size_class.cache_count, first, false};
    }
    state_ = State::attached;
    heap.count_cache(1);
    if (on_attach_ != nullptr) {
        on_attach_(*this); // may allocate
    }
    return true;
}

// Lengthens a full row by a quarter if it was refilled since it was last full, as far as the heap
// grants the blocks it could then hold. Only rows of slab classes: the blocks of mid classes are
// too large to lie about.
template <PageSource Source>
[[gnu::noinline]] bool ThreadCache::grow(Heap<Source>& heap, std::uint32_t class_idx) noexcept {
    const std::size_t old_capacity = capacity(class_idx);
    const SizeClass& size_class = heap.classes().classes[class_idx];
    const std::size_t block_bytes = size_class.block_bytes;
    if (!rows_[class_idx].was_refilled || heap.classes().is_mid(class_idx)) {
        return false;
    }
    const std::size_t grant_bytes = heap.cache_grant_bytes();
    const std::size_t granted_blocks =
        granted_bytes_ < grant_bytes ? (grant_bytes - granted_bytes_) / block_bytes : 0;
    const std::size_t new_capacity =
        std::min({old_capacity + old_capacity / 4, old_capacity + granted_blocks, max_row_blocks});
    if (new_capacity - old_capacity < old_capacity / 8) {
        return false;
    }
    const std::size_t more_bytes = (new_capacity - old_capacity) * block_bytes;
    void* const memory =
        heap.allocate_large((new_capacity + 1) * sizeof(void*), 1, false, [](auto&) {});
    if (memory == nullptr) {
        return false;
    }
    auto** const first = static_cast<void**>(memory);
    void** const old_first = rows_[class_idx].bottom;
    std::copy(old_first, rows_[class_idx].top + 1, first);
    slot_bytes_ += heap.usable_size(memory);
    if (!is_first_row(size_class, class_idx)) {
        slot_bytes_ -= heap.usable_size(old_first);
        heap.deallocate_large(old_first);
    }
    granted_bytes_ += more_bytes;
    rows_[class_idx].top = first + old_capacity;
    rows_[class_idx].limit = first + new_capacity;
    rows_[class_idx].bottom = first;
    return true;
}

template <PageSource Source>
[[gnu::noinline]] void* ThreadCache::refill(Heap<Source>& heap, std::size_t size) noexcept {
    const bool is_attached = attach(heap); // the first thing to happen: it decides on the classes
    const std::uint32_t class_idx = heap.classes().class_of(size);
    if (!is_attached) {
        void* block = nullptr;
        return heap.take(class_idx, {&block, 1}, [](auto&) {}) != 0 ? block : nullptr;
    }
    void**& top = rows_[class_idx].top;
    if (*top != nullptr) {
        return *top--; // attaching may have filled it
    }
    rows_[class_idx].was_refilled = true;
    const std::size_t wanted = std::min((capacity(class_idx) + 1) / 2, refill_max_blocks);
    const std::uint32_t taken = heap.take(class_idx, {top + 1, wanted}, relief());
    top += taken;
    tick(heap);
    return taken != 0 ? *top-- : nullptr;
}

// The row is full, or the thread has none: the half that was cached first goes back.
template <PageSource Source>
[[gnu::noinline]] void ThreadCache::overflow(Heap<Source>& heap, std::uint32_t class_idx,
                                             void* block) noexcept {
    if (!attach(heap)) {
        heap.give(class_idx, {&block, 1});
        return;
    }
    if (rows_[class_idx].top == rows_[class_idx].limit && !grow(heap, class_idx)) {
        const std::size_t cached = count(class_idx);
        const std::size_t given =
            std::min((cached + 1) / 2, std::max(refill_max_blocks, cached / 8));
        void** const first = rows_[class_idx].bottom + 1;
        heap.give(class_idx, {first, given});
        std::copy(first + given, first + cached, first);
        rows_[class_idx].top -= given;
    }
    rows_[class_idx].was_refilled = false;
    push(rows_[class_idx], block);
    tick(heap);
}

template <PageSource Source>
[[gnu::noinline]] void ThreadCache::deallocate_slow(Heap<Source>& heap, Kind kind,
                                                    void* block) noexcept {
    if (kind == large_kind) {
        heap.deallocate_large(block);
        tick(heap);
    } else if (kind != free_kind && kind != tail_kind) {
        overflow(heap, kind, block);
    } else {
        heap.note_rejected_free();
    }
}

inline bool ThreadCache::is_cached(const Row& row, const void* block) noexcept {
    return row.top != row.bottom && std::find(row.bottom + 1, row.top + 1, block) != row.top + 1;
}

template <PageSource Source> void ThreadCache::flush(Heap<Source>& heap) noexcept {
    for (std::uint32_t class_idx = 1; class_idx <= heap.classes().class_count; ++class_idx) {
        if (const std::size_t cached = count(class_idx); cached != 0) {
            heap.give(class_idx, {rows_[class_idx].bottom + 1, cached});
            rows_[class_idx].top = rows_[class_idx].bottom;
        }
    }
}

template <PageSource Source> void ThreadCache::retire(Heap<Source>& heap) noexcept {
    flush(heap);
    if (slots_ != nullptr) {
        const SizeClassTable& classes = heap.classes();
        for (std::uint32_t class_idx = 1; class_idx <= classes.class_count; ++class_idx) {
            if (!is_first_row(classes.classes[class_idx], class_idx)) {
                heap.deallocate_large(rows_[class_idx].bottom);
            }
        }
        heap.deallocate_large(slots_);
        heap.count_cache(-1);
    }
    drop();
    state_ = State::retired;
}

inline std::size_t ThreadCache::cached_bytes(const SizeClassTable& classes) const noexcept {
    std::size_t bytes = 0;
    for (std::uint32_t class_idx = 1; class_idx <= classes.class_count; ++class_idx) {
        bytes += count(class_idx) * classes.classes[class_idx].block_bytes;
    }
    return bytes;
}

} // namespace alloclab::pool
