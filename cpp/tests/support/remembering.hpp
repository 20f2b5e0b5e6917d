// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <cstddef>
#include <set>

namespace alloclab {

// An allocator without a page source that frees what a test leaves behind, and can be reset.
template <class A> class Remembering : public A {
public:
    template <class Source>
    Remembering(const typename A::Options& options, const Source&) : A(options) {}
    ~Remembering() { reset(); }

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return remember(A::allocate(size, alignment));
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return remember(A::allocate_zeroed(size, alignment));
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        blocks_.erase(block);
        A::deallocate(block, size, alignment);
    }
    void reset() noexcept {
        for (void* const block : blocks_) {
            A::deallocate(block, 0, default_alignment);
        }
        blocks_.clear();
    }

private:
    void* remember(void* block) {
        if (block != nullptr) {
            blocks_.insert(block);
        }
        return block;
    }

    std::set<void*> blocks_;
};

} // namespace alloclab
