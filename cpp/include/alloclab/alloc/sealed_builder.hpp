// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/detail/growing_buffer.hpp>

namespace alloclab {

// A table that is appendable while it is built and read-only once published (rows R58-R60): it
// grows on an allocator that can take memory back, and `seal` copies it, exactly as long as it is,
// into an arena that owns it from then on. So the arena never holds an abandoned array (row R5).
// Requires: the allocator outlives it; the arena outlives what was sealed into it.
template <class T, Allocator A> class SealedBuilder {
public:
    explicit SealedBuilder(A& allocator) noexcept : items_(allocator) {}

    // Returns false, having changed nothing, when the allocator refuses or the table is sealed.
    bool append(const T& item) noexcept {
        const T copy = item;
        if (is_sealed_ || !items_.make_room(1, first_capacity)) {
            return false;
        }
        items_.push(copy);
        return true;
    }

    // A hint: later appends still say when they fail (row R46).
    bool reserve_hint(std::size_t more) noexcept {
        return !is_sealed_ && items_.make_room(more, first_capacity);
    }

    // What is there may be changed until it is sealed; afterwards this is empty.
    std::span<T> items() noexcept { return {items_.items(), items_.size()}; }

    // Copies the items into the arena and frees the array they were built in. Every later append
    // and seal fails. Returns false, the builder as it was, when the arena refuses or it is sealed.
    template <Allocator Arena> bool seal(Arena& arena, std::span<const T>& sealed) noexcept {
        if (is_sealed_) {
            return false;
        }
        const std::size_t count = items_.size();
        T* copied = nullptr;
        if (count != 0) {
            copied = static_cast<T*>(arena.allocate(count * sizeof(T), alignof(T)));
            if (copied == nullptr) {
                return false;
            }
            std::memcpy(static_cast<void*>(copied), items_.items(), count * sizeof(T));
        }
        items_.free_items();
        is_sealed_ = true;
        sealed = {copied, count};
        return true;
    }

    // Back to an empty table that can be built again (row R75); what was sealed stays.
    void restart() noexcept {
        items_.cut_to(0);
        is_sealed_ = false;
    }

    bool is_sealed() const noexcept { return is_sealed_; }
    std::size_t size() const noexcept { return items_.size(); }

private:
    static constexpr std::size_t first_capacity = 16;
    GrowingBuffer<T, A> items_;
    bool is_sealed_ = false;
};

} // namespace alloclab
