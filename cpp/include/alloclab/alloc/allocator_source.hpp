// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/vm/page_source.hpp>

namespace alloclab {

// A page source on top of an allocator: what stands on it takes its pages from the allocator's
// memory and ends with it. A slab or a pool on an arena serves mixed lifetimes within one task and
// is gone with the task's arena, in one step.
// A handle: copies draw from the same allocator. Requires: the allocator outlives it, and whatever
// stands on it is not used, not even reset, after the allocator's own reset took its pages.
template <Allocator A> class AllocatorSource {
public:
    static constexpr bool maps_zeroed = false;

    explicit AllocatorSource(A& allocator) noexcept : allocator_(&allocator) {}

    void* map(std::size_t bytes, std::size_t alignment) noexcept {
        return allocator_->allocate(bytes, alignment);
    }
    void unmap(void* memory, std::size_t bytes) noexcept {
        allocator_->deallocate(memory, bytes, default_alignment);
    }
    A& allocator() noexcept { return *allocator_; }

private:
    A* allocator_;
};

} // namespace alloclab
