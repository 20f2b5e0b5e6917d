// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/page_source.hpp>

#include <cstring>
#include <type_traits>

namespace alloclab {

// Any page source behind two functions, for tables that are grown rarely and whose code should
// stand once. Requires: the source outlives it and does not move.
struct PageCalls {
    void* source;
    void* (*map)(void* source, std::size_t bytes) noexcept;
    void (*unmap)(void* source, void* memory, std::size_t bytes) noexcept;

    template <PageSource Source> static PageCalls of(Source& source) noexcept {
        return {&source,
                [](void* to, std::size_t bytes) noexcept {
                    return static_cast<Source*>(to)->map(bytes, page_bytes);
                },
                [](void* to, void* memory, std::size_t bytes) noexcept {
                    static_cast<Source*>(to)->unmap(memory, bytes);
                }};
    }
};

// An array that grows by whole pages and is never copied element-wise: for plain values.
//   size() <= capacity; mapped_bytes() is a multiple of the page
template <class Value> class PageArray {
    static_assert(std::is_trivially_copyable_v<Value>);

public:
    // Returns whether there is room for `count` more. Cost: O(size) where it must grow.
    bool reserve(const PageCalls& pages, std::size_t count) noexcept {
        if ((size_ + count) * sizeof(Value) <= mapped_bytes_) {
            return true;
        }
        const std::size_t wanted = align_up((size_ + count) * sizeof(Value), page_bytes);
        const std::size_t bytes = wanted > 2 * mapped_bytes_ ? wanted : 2 * mapped_bytes_;
        void* const memory = pages.map(pages.source, bytes);
        if (memory == nullptr) {
            return false;
        }
        if (values_ != nullptr) {
            std::memcpy(memory, static_cast<const void*>(values_), size_ * sizeof(Value));
            pages.unmap(pages.source, values_, mapped_bytes_);
        }
        values_ = static_cast<Value*>(memory);
        mapped_bytes_ = bytes;
        return true;
    }
    bool push(const PageCalls& pages, const Value& value) noexcept {
        if (!reserve(pages, 1)) {
            return false;
        }
        values_[size_++] = value;
        return true;
    }
    void close(const PageCalls& pages) noexcept {
        if (values_ != nullptr) {
            pages.unmap(pages.source, values_, mapped_bytes_);
        }
        values_ = nullptr;
        size_ = mapped_bytes_ = 0;
    }
    void clear() noexcept { size_ = 0; }
    void truncate(std::size_t size) noexcept { size_ = size; }

    std::size_t size() const noexcept { return size_; }
    std::size_t mapped_bytes() const noexcept { return mapped_bytes_; }
    Value& operator[](std::size_t idx) noexcept { return values_[idx]; }
    const Value& operator[](std::size_t idx) const noexcept { return values_[idx]; }
    Value* begin() noexcept { return values_; }
    Value* end() noexcept { return values_ + size_; }
    const Value* begin() const noexcept { return values_; }
    const Value* end() const noexcept { return values_ + size_; }

private:
    Value* values_ = nullptr;
    std::size_t size_ = 0;
    std::size_t mapped_bytes_ = 0;
};

} // namespace alloclab
