// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <cstring>

namespace alloclab {

// Copies what must outlive its allocator into a longer-lived one: the result of a scope whose
// arena is about to be reset. The original is left to die with its arena.
// Requires: `block` has `size` readable bytes that may be copied as bytes.
// Returns the copy, or null when `durable` has no room; the original is as it was either way.
// Cost: O(size).
template <Allocator A>
void* promote(const void* block, std::size_t size, std::size_t alignment, A& durable) noexcept {
    void* const copy = durable.allocate(size, alignment);
    if (copy != nullptr && size != 0) {
        std::memcpy(copy, block, size);
    }
    return copy;
}

} // namespace alloclab
