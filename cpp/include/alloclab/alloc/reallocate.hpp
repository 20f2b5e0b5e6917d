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

// Gives a block another size: where it stands if the allocator can, else by allocating, copying and
// freeing. Returns null when there is no memory; the block lives on then.
// Requires: the block is live, not null.
template <Allocator A>
void* reallocate(A& allocator, void* block, std::size_t old_size, std::size_t new_size,
                 std::size_t alignment) noexcept {
    if constexpr (Reallocating<A>) {
        return allocator.reallocate(block, old_size, new_size, alignment);
    } else {
        if constexpr (Resizable<A>) {
            if (allocator.resize(block, old_size, new_size, alignment)) {
                return block;
            }
        }
        void* const moved = allocator.allocate(new_size, alignment);
        if (moved != nullptr) {
            std::memcpy(moved, block, std::min(old_size, new_size));
            allocator.deallocate(block, old_size, alignment);
        }
        return moved;
    }
}

} // namespace alloclab
