// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/heap.hpp>

namespace alloclab::pool {

// What the row of a class without a cache points at: reads as "empty", and is full at once.
inline void* empty_slot = nullptr;

// Free blocks one thread keeps, an array a class, last in first out. A hit touches nothing that is
// shared, no block and no table. For one thread; constant-initialised and without a destructor, so
// that it may be a thread's own variable under its program's malloc.
//   row c: slots bottom(c) < ... <= top, where *bottom(c) is null for ever; top <= limit
// Before `attach` and after `retire` every row is empty and full, so each call takes the slow path,
// which then goes to the heap without caching. Every call takes the heap the blocks come from,
// always the same one.
class ThreadCache {
public:
    using AttachHook = void (*)(ThreadCache&);

    // `on_attach` is called when the thread first gets slots: the moment to ask for a call at its
    // end.
    constexpr explicit ThreadCache(AttachHook on_attach = nullptr) noexcept
        : on_attach_(on_attach) {
        empty_rows();
    }
    ThreadCache(const ThreadCache&) = delete;
    ThreadCache& operator=(const ThreadCache&) = delete;

    // A block of at least `size` bytes, 16-aligned, or null. Requires: size <= small_max_bytes.
    template <PageSource Source>
    [[gnu::always_inline]] void* allocate(Heap<Source>& heap, std::size_t size) noexcept {
        const std::uint32_t class_idx = class_of(size);
        Row& row = rows_[class_idx];
        void* const block = *row.top;
        if (block != nullptr) [[likely]] {
            --row.top;
            return block;
        }
        return refill(heap, class_idx);
    }

    // Takes a block of a known class back. Requires: not null.
    template <PageSource Source>
    [[gnu::always_inline]] void deallocate(Heap<Source>& heap, std::uint32_t class_idx,
                                           void* block) noexcept {
        Row& row = rows_[class_idx];
        if (row.top != row.limit) [[likely]] {
            *++row.top = block;
            return;
        }
        overflow(heap, class_idx, block);
    }

    // Takes any block back; null and memory that is not the heap's are ignored.
    template <PageSource Source>
    [[gnu::always_inline]] void deallocate(Heap<Source>& heap, void* block) noexcept {
        if (heap.contains(block)) [[likely]] {
            const Kind kind = heap.kind_of(block);
            Row& row = rows_[kind];
            if (row.top != row.limit) [[likely]] {
                *++row.top = block;
                return;
            }
            deallocate_slow(heap, kind, block);
        }
    }

    // A block larger than small_max_bytes, or of an alignment no class has.
    template <PageSource Source>
    void* allocate_large(Heap<Source>& heap, std::size_t size, std::size_t alignment,
                         bool is_zeroed) noexcept;
    template <PageSource Source>
    void* reallocate_large(Heap<Source>& heap, void* block, std::size_t new_size) noexcept;

    // Gives every cached block back to the heap.
    template <PageSource Source> void flush(Heap<Source>& heap) noexcept;
    // Flushes, gives the slots back, and caches nothing from now on: the end of a thread.
    template <PageSource Source> void retire(Heap<Source>& heap) noexcept;
    // Forgets everything, because the heap is closed or about to be.
    void drop() noexcept {
        empty_rows();
        slots_ = nullptr;
        state_ = State::unattached;
    }

    std::size_t cached_bytes() const noexcept;
    std::size_t slot_bytes() const noexcept { return slots_ != nullptr ? all_slots_bytes : 0; }

private:
    enum class State : std::uint8_t { unattached, attached, retired };
    struct Row {
        void** top;   // the slot of the block to use next
        void** limit; // the last slot
    };
    static constexpr std::size_t all_slots_bytes = size_classes.cache_slot_count * sizeof(void*);

    void** bottom(std::uint32_t class_idx) const noexcept {
        return slots_ + size_classes.classes[class_idx].cache_offset;
    }
    std::size_t count(std::uint32_t class_idx) const noexcept {
        return slots_ != nullptr
                   ? static_cast<std::size_t>(rows_[class_idx].top - bottom(class_idx))
                   : 0;
    }
    constexpr void empty_rows() noexcept {
        for (Row& row : rows_) {
            row = {&empty_slot, &empty_slot};
        }
    }
    // Blocks of mid classes are memory a new peak could do without.
    auto relief() noexcept {
        return [this](auto& heap) {
            for (std::uint32_t class_idx = slab_class_count + 1; class_idx <= class_count;
                 ++class_idx) {
                for (std::size_t left = count(class_idx); left != 0; --left) {
                    heap.give_mid_locked(class_idx, *rows_[class_idx].top--);
                }
            }
        };
    }
    template <PageSource Source> bool attach(Heap<Source>& heap) noexcept;
    template <PageSource Source> void* refill(Heap<Source>& heap, std::uint32_t class_idx) noexcept;
    template <PageSource Source>
    void overflow(Heap<Source>& heap, std::uint32_t class_idx, void* block) noexcept;
    template <PageSource Source>
    void deallocate_slow(Heap<Source>& heap, Kind kind, void* block) noexcept;

    std::array<Row, kind_count> rows_{};
    void** slots_ = nullptr;
    AttachHook on_attach_;
    State state_ = State::unattached;
};

// Defined here because clang knows what `relief` returns only behind the class.
template <PageSource Source>
void* ThreadCache::allocate_large(Heap<Source>& heap, std::size_t size, std::size_t alignment,
                                  bool is_zeroed) noexcept {
    return heap.allocate_large(size, alignment, is_zeroed, relief());
}

template <PageSource Source>
void* ThreadCache::reallocate_large(Heap<Source>& heap, void* block,
                                    std::size_t new_size) noexcept {
    return heap.reallocate_large(block, new_size, relief());
}

// Gets the thread its slots. Returns false when it must do without: it has ended, or there is no
// memory for them, or it is this very call that needs memory.
template <PageSource Source>
[[gnu::noinline, gnu::cold]] bool ThreadCache::attach(Heap<Source>& heap) noexcept {
    if (state_ != State::unattached) {
        return state_ == State::attached;
    }
    void* const memory = heap.allocate_large(all_slots_bytes, 1, false, [](auto&) {});
    if (memory == nullptr) {
        return false;
    }
    slots_ = static_cast<void**>(memory);
    for (std::uint32_t class_idx = 1; class_idx <= class_count; ++class_idx) {
        void** const first = bottom(class_idx);
        *first = nullptr;
        rows_[class_idx] = {first, first + size_classes.classes[class_idx].cache_count};
    }
    state_ = State::attached;
    if (on_attach_ != nullptr) {
        on_attach_(*this); // may allocate
    }
    return true;
}

template <PageSource Source>
[[gnu::noinline]] void* ThreadCache::refill(Heap<Source>& heap, std::uint32_t class_idx) noexcept {
    if (!attach(heap)) {
        void* block = nullptr;
        return heap.take(class_idx, {&block, 1}, [](auto&) {}) != 0 ? block : nullptr;
    }
    Row& row = rows_[class_idx];
    if (*row.top != nullptr) {
        return *row.top--; // attaching may have filled it
    }
    const std::size_t wanted = (size_classes.classes[class_idx].cache_count + 1U) / 2;
    const std::uint32_t taken = heap.take(class_idx, {row.top + 1, wanted}, relief());
    row.top += taken;
    return taken != 0 ? *row.top-- : nullptr;
}

// The row is full, or the thread has none: the half that was cached first goes back.
template <PageSource Source>
[[gnu::noinline]] void ThreadCache::overflow(Heap<Source>& heap, std::uint32_t class_idx,
                                             void* block) noexcept {
    if (!attach(heap)) {
        heap.give(class_idx, {&block, 1});
        return;
    }
    Row& row = rows_[class_idx];
    if (row.top == row.limit) {
        const std::size_t cached = count(class_idx);
        const std::size_t half = (cached + 1) / 2;
        void** const first = bottom(class_idx) + 1;
        heap.give(class_idx, {first, half});
        std::copy(first + half, first + cached, first);
        row.top -= half;
    }
    *++row.top = block;
}

template <PageSource Source>
[[gnu::noinline]] void ThreadCache::deallocate_slow(Heap<Source>& heap, Kind kind,
                                                    void* block) noexcept {
    if (kind == large_kind) {
        heap.deallocate_large(block);
    } else if (kind != free_kind && kind != tail_kind) {
        overflow(heap, kind, block);
    }
}

template <PageSource Source> void ThreadCache::flush(Heap<Source>& heap) noexcept {
    for (std::uint32_t class_idx = 1; class_idx <= class_count; ++class_idx) {
        if (const std::size_t cached = count(class_idx); cached != 0) {
            heap.give(class_idx, {bottom(class_idx) + 1, cached});
            rows_[class_idx].top = bottom(class_idx);
        }
    }
}

template <PageSource Source> void ThreadCache::retire(Heap<Source>& heap) noexcept {
    flush(heap);
    void** const slots = slots_;
    drop();
    state_ = State::retired;
    if (slots != nullptr) {
        heap.deallocate_large(slots);
    }
}

inline std::size_t ThreadCache::cached_bytes() const noexcept {
    std::size_t bytes = 0;
    for (std::uint32_t class_idx = 1; class_idx <= class_count; ++class_idx) {
        bytes += count(class_idx) * size_classes.classes[class_idx].block_bytes;
    }
    return bytes;
}

} // namespace alloclab::pool
