// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/detail/growing_buffer.hpp>

namespace alloclab {

// A list used as a stack of spans, after Roc's Scratch (row R24): remember the top, append what a
// piece of work needs, read it back as one span, and cut it off again. The capacity stays, so that
// the next piece of work allocates nothing.
// Requires: the allocator outlives it. Spans are good until the next append.
template <class T, Allocator A> class ScratchStack {
public:
    static constexpr std::size_t first_capacity = 64; // Roc's

    explicit ScratchStack(A& allocator) noexcept : items_(allocator) {}

    // The point to cut back to.
    std::size_t top() const noexcept { return items_.size(); }

    // Returns false, having changed nothing, when the allocator refuses (row R26).
    bool append(const T& item) noexcept {
        const T copy = item; // it may be one of ours, and those may move
        if (!items_.make_room(1, first_capacity)) {
            return false;
        }
        items_.push(copy);
        return true;
    }

    // A hint: later appends still say when they fail (row R46).
    bool reserve_hint(std::size_t more) noexcept { return items_.make_room(more, first_capacity); }

    // What was appended since `mark`; nothing for a mark above the top.
    std::span<T> span_from(std::size_t mark) const noexcept {
        const std::size_t first = std::min(mark, items_.size());
        return {items_.items() + first, items_.size() - first};
    }

    // Cuts off what was appended since `mark`, the capacity kept. A mark above the top is ignored.
    void clear_from(std::size_t mark) noexcept { items_.cut_to(mark); }

    // Gives the memory back as well.
    void free_capacity() noexcept { items_.free_items(); }

    std::size_t capacity() const noexcept { return items_.capacity(); }

private:
    GrowingBuffer<T, A> items_;
};

} // namespace alloclab
