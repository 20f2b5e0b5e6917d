// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <algorithm>
#include <cstring>

namespace alloclab {

// An allocator that wants to see reallocations as such: `reallocate(p, old_size, new_size,
// alignment)` returns the block at its new size, moved or not, or null, the old one then living on.
template <class A>
concept Reallocating = Allocator<A> &&
    requires(A& allocator, void* block, std::size_t size, std::size_t alignment) {
    { allocator.reallocate(block, size, size, alignment) }
    noexcept->std::same_as<void*>;
};

// Moves a block from one allocator to another, or to another place of the same. Returns null when
// there is no memory; the block lives on then.
template <Allocator From, Allocator To>
void* move_block(From& from, To& to, void* block, std::size_t old_size, std::size_t new_size,
                 std::size_t alignment) noexcept {
    void* const moved = to.allocate(new_size, alignment);
    if (moved != nullptr) {
        std::memcpy(moved, block, std::min(old_size, new_size));
        from.deallocate(block, old_size, alignment);
    }
    return moved;
}

// Gives a block another size without asking the allocator for a reallocation: where it stands if
// that can be, else by moving it.
template <Allocator A>
void* resize_or_move(A& allocator, void* block, std::size_t old_size, std::size_t new_size,
                     std::size_t alignment) noexcept {
    if constexpr (Resizable<A>) {
        if (allocator.resize(block, old_size, new_size, alignment)) {
            return block;
        }
    }
    return move_block(allocator, allocator, block, old_size, new_size, alignment);
}

// Gives a block another size, in the allocator's own way if it has one. Returns null when there is
// no memory; the block lives on then.
// Requires: the block is live, not null.
template <Allocator A>
void* reallocate(A& allocator, void* block, std::size_t old_size, std::size_t new_size,
                 std::size_t alignment) noexcept {
    if constexpr (Reallocating<A>) {
        return allocator.reallocate(block, old_size, new_size, alignment);
    } else {
        return resize_or_move(allocator, block, old_size, new_size, alignment);
    }
}

} // namespace alloclab
