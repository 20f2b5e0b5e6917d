// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

namespace alloclab {

// A contiguous array that grows by doubling on an allocator given to it: in place where the
// allocator can, or by a copy, the old array then freed. Failing leaves it as it was.
//   size_ <= capacity_, and items_ is null exactly when capacity_ is 0
// Requires: the allocator outlives it.
template <class T, Allocator A> class GrowingBuffer {
    static_assert(std::is_trivially_copyable_v<T>, "items are moved by copying their bytes");

public:
    explicit GrowingBuffer(A& allocator) noexcept : allocator_(&allocator) {}
    ~GrowingBuffer() { free_items(); }
    GrowingBuffer(const GrowingBuffer&) = delete;
    GrowingBuffer& operator=(const GrowingBuffer&) = delete;

    // Makes room for `more` items beyond those there. Returns false when the allocator refuses.
    bool make_room(std::size_t more, std::size_t least_capacity) noexcept {
        if (more <= capacity_ - size_) {
            return true;
        }
        constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
        if (more > most - size_) {
            return false;
        }
        const std::size_t doubled = capacity_ > most / 2 ? most : capacity_ * 2;
        return grow_to(std::max({size_ + more, doubled, least_capacity}));
    }

    void push(const T& item) noexcept { items_[size_++] = item; } // Requires: room for it.
    void cut_to(std::size_t size) noexcept { size_ = std::min(size_, size); }
    void free_items() noexcept {
        if (items_ != nullptr) {
            allocator_->deallocate(items_, capacity_ * sizeof(T), alignof(T));
        }
        items_ = nullptr;
        size_ = capacity_ = 0;
    }

    T* items() const noexcept { return items_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }

private:
    bool grow_to(std::size_t capacity) noexcept {
        const std::size_t old_bytes = capacity_ * sizeof(T);
        const std::size_t new_bytes = capacity * sizeof(T);
        if constexpr (Resizable<A>) {
            if (items_ != nullptr && allocator_->resize(items_, old_bytes, new_bytes, alignof(T))) {
                capacity_ = capacity;
                return true;
            }
        }
        auto* const moved = static_cast<T*>(allocator_->allocate(new_bytes, alignof(T)));
        if (moved == nullptr) {
            return false;
        }
        if (items_ != nullptr) {
            std::memcpy(static_cast<void*>(moved), items_, size_ * sizeof(T));
            allocator_->deallocate(items_, old_bytes, alignof(T));
        }
        items_ = moved;
        capacity_ = capacity;
        return true;
    }

    A* allocator_;
    T* items_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace alloclab
