// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/heap.hpp>

namespace alloclab::pool {

// What the row of a class without a cache points at: reads as "empty", and is full at once.
inline void* empty_slot = nullptr;

// Free blocks one thread keeps, an array a class, last in first out. A hit touches nothing that is
// shared, no block and no table. For one thread; constant-initialised and without a destructor, so
// that it may be a thread's own variable under its program's malloc.
//   row c: bottom <= top <= limit; *bottom is null for ever, the slots after it up to top hold
//   blocks
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
        void* const block = allocate_cached(heap, size);
        return block != nullptr ? block : refill(heap, size);
    }
    // The same, if such a block is cached.
    template <PageSource Source>
    [[gnu::always_inline]] void* allocate_cached(Heap<Source>& heap, std::size_t size) noexcept {
        return pop(row_at(heap.classes().row_offset_of(size)));
    }

    // Takes a block of a known size back. Requires: not null, size <= small_max_bytes.
    template <PageSource Source>
    [[gnu::always_inline]] void deallocate(Heap<Source>& heap, std::size_t size,
                                           void* block) noexcept {
        const std::uint32_t row_offset = heap.classes().row_offset_of(size);
        if (is_freed_twice(heap, row_at(row_offset), block)) {
            return;
        }
        if (push(row_at(row_offset), block)) [[likely]] {
            return;
        }
        overflow(heap, row_offset / row_bytes, block);
    }

    // Takes any block back. Returns false, having done nothing, for null and for memory that is not
    // the heap's.
    template <PageSource Source>
    [[gnu::always_inline]] bool deallocate(Heap<Source>& heap, void* block) noexcept {
        Kind kind = free_kind;
        if (!heap.find_kind(block, kind)) [[unlikely]] {
            return false;
        }
        Row& row = row_at(kind * row_bytes);
        if (!is_freed_twice(heap, row, block) && !push(row, block)) [[unlikely]] {
            deallocate_slow(heap, kind, block);
        }
        return true;
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
        slot_bytes_ = granted_bytes_ = 0;
        state_ = State::unattached;
    }

    // Of the blocks it keeps, and of the slots it keeps them in.
    std::size_t cached_bytes(const SizeClassTable& classes) const noexcept;
    std::size_t slot_bytes() const noexcept { return slot_bytes_; }

private:
    enum class State : std::uint8_t { unattached, attached, retired };
    static constexpr std::size_t max_row_blocks = 2047; // and the null before them: 16 KiB of slots
    // A refill, and about what goes back from a full row: a long row that took or gave half of
    // itself would trade blocks with the slabs for ever in a loop a little longer than it.
    static constexpr std::size_t refill_max_blocks = 64;

    static constexpr std::uint32_t calls_per_tick = 64; // a look at the clock is a few ns

    struct alignas(row_bytes) Row {
        void** top = &empty_slot;   // the slot of the block to use next
        void** limit = &empty_slot; // the last slot
        void** bottom = &empty_slot;
        bool was_refilled = false; // since it was last full
    };
    static_assert(sizeof(Row) == row_bytes);

    // A row by its offset, its address in a register: processors forward a store to a load of the
    // same plain address at once, but take five cycles where the address is indexed, and every
    // call waits for the store of the one before.
    [[gnu::always_inline]] Row& row_at(std::uint32_t row_offset) noexcept {
        auto* row = reinterpret_cast<std::byte*>(rows_.data()) + row_offset;
        asm("" : "+r"(row));
        return *reinterpret_cast<Row*>(row);
    }
    // Null when the row is empty.
    [[gnu::always_inline]] void* pop(Row& row) noexcept {
        void** const top = row.top;
        void* const block = *top;
        if (block != nullptr) [[likely]] {
            row.top = top - 1;
        }
        return block;
    }
    // False when the row is full.
    [[gnu::always_inline]] bool push(Row& row, void* block) noexcept {
        void** const top = row.top;
        if (top == row.limit) [[unlikely]] {
            return false;
        }
        top[1] = block;
        row.top = top + 1;
        return true;
    }
    static bool is_cached(const Row& row, const void* block) noexcept;
    // In Debug, a block that is in its row already is not taken back again, and counted.
    template <PageSource Source>
    [[gnu::always_inline]] bool is_freed_twice([[maybe_unused]] Heap<Source>& heap,
                                               [[maybe_unused]] const Row& row,
                                               [[maybe_unused]] const void* block) noexcept {
#ifdef NDEBUG
        return false;
#else
        if (is_cached(row, block)) {
            heap.note_rejected_free();
            return true;
        }
        return false;
#endif
    }
    std::size_t count(std::uint32_t class_idx) const noexcept {
        return static_cast<std::size_t>(rows_[class_idx].top - rows_[class_idx].bottom);
    }
    std::size_t capacity(std::uint32_t class_idx) const noexcept {
        return static_cast<std::size_t>(rows_[class_idx].limit - rows_[class_idx].bottom);
    }
    constexpr void empty_rows() noexcept {
        rows_.fill(Row{});
    }
    bool is_first_row(const SizeClass& size_class, std::uint32_t class_idx) const noexcept {
        return rows_[class_idx].bottom == slots_ + size_class.cache_offset;
    }
    // Blocks of mid classes are memory a new peak could do without.
    auto relief() noexcept {
        return [this](auto& heap) {
            const SizeClassTable& classes = heap.classes();
            for (std::uint32_t class_idx = classes.slab_class_count + 1;
                 class_idx <= classes.class_count; ++class_idx) {
                for (std::size_t left = count(class_idx); left != 0; --left) {
                    heap.give_mid_locked(class_idx, *rows_[class_idx].top--);
                }
            }
        };
    }
    // At the end of every call that went to the heap: now and then, time is let pass there.
    template <PageSource Source> [[gnu::always_inline]] void tick(Heap<Source>& heap) noexcept {
        if (--calls_to_tick_ == 0) [[unlikely]] {
            calls_to_tick_ = heap.decay() ? 1 : calls_per_tick;
        }
    }
    template <PageSource Source> bool attach(Heap<Source>& heap) noexcept;
    template <PageSource Source> bool grow(Heap<Source>& heap, std::uint32_t class_idx) noexcept;
    template <PageSource Source> void* refill(Heap<Source>& heap, std::size_t size) noexcept;
    template <PageSource Source>
    void overflow(Heap<Source>& heap, std::uint32_t class_idx, void* block) noexcept;
    template <PageSource Source>
    void deallocate_slow(Heap<Source>& heap, Kind kind, void* block) noexcept;

    std::array<Row, kind_count> rows_{};
    void** slots_ = nullptr; // of all rows that never grew
    std::size_t slot_bytes_ = 0;
    std::size_t granted_bytes_ = 0; // of blocks, by which rows were grown
    std::uint32_t calls_to_tick_ = calls_per_tick;
    AttachHook on_attach_;
    State state_ = State::unattached;
};

} // namespace alloclab::pool

#include <alloclab/alloc/pool/detail/thread_cache_rows.hpp>
