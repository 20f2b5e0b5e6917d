// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace alloclab {

// A table whose length is known before it is built (row R6): one allocation, no copy, nothing
// abandoned. An append past the capacity is refused rather than grown, because growing is what it
// is there to avoid.
// Requires: the allocator outlives it.
template <class T, Allocator A> class PresizedBuilder {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    // `capacity()` is 0 when the allocator refuses, and every append then fails.
    PresizedBuilder(A& allocator, std::size_t capacity) noexcept : allocator_(&allocator) {
        constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
        if (capacity != 0 && capacity <= most) {
            items_ = static_cast<T*>(allocator.allocate(capacity * sizeof(T), alignof(T)));
            capacity_ = items_ != nullptr ? capacity : 0;
        }
    }
    // What was not finished is given back.
    ~PresizedBuilder() {
        if (items_ != nullptr) {
            allocator_->deallocate(items_, capacity_ * sizeof(T), alignof(T));
        }
    }
    PresizedBuilder(const PresizedBuilder&) = delete;
    PresizedBuilder& operator=(const PresizedBuilder&) = delete;

    // Returns false when it is full, finished or never got its memory.
    bool append(const T& item) noexcept {
        if (size_ == capacity_) {
            return false;
        }
        items_[size_++] = item;
        return true;
    }

    // Moves the table out (row R75): it belongs to the allocator from now on, and the builder is
    // empty and stays so. What was not filled is given back where the allocator can cut a block.
    std::span<T> finish() noexcept {
        if constexpr (Resizable<A>) {
            if (items_ != nullptr) {
                allocator_->resize(items_, capacity_ * sizeof(T), size_ * sizeof(T), alignof(T));
            }
        }
        capacity_ = 0;
        return {std::exchange(items_, nullptr), std::exchange(size_, 0)};
    }

    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }

private:
    A* allocator_;
    T* items_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace alloclab
