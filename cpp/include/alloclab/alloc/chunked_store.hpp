// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <array>
#include <bit>
#include <type_traits>

namespace alloclab {

// An append-only table in chunks that double (row R74): nothing is ever copied or abandoned, an
// item's address holds for the table's life, and its id leads to it in O(1).
//   chunk k holds first_count << k items: id + first_count has its highest bit at k + log2 of that
// Requires: the allocator outlives it.
template <class T, Allocator A, std::size_t first_count = 64> class ChunkedStore {
    static_assert(std::has_single_bit(first_count));
    static_assert(std::is_trivially_destructible_v<T>, "items are never destroyed one by one");

public:
    static constexpr std::size_t no_id = SIZE_MAX;

    explicit ChunkedStore(A& allocator) noexcept : allocator_(&allocator) {}
    ~ChunkedStore() {
        for (std::size_t chunk_idx = 0; chunk_idx < chunk_count_; ++chunk_idx) {
            allocator_->deallocate(chunks_[chunk_idx], chunk_items(chunk_idx) * sizeof(T),
                                   alignof(T));
        }
    }
    ChunkedStore(const ChunkedStore&) = delete;
    ChunkedStore& operator=(const ChunkedStore&) = delete;

    // Returns the item's id, or `no_id` when the allocator refuses; ids count up from 0.
    // Cost: O(1); an allocation each time a chunk is full.
    std::size_t append(const T& item) noexcept {
        const Place place = place_of(size_);
        if (place.chunk_idx == chunk_count_ && !add_chunk()) {
            return no_id;
        }
        ::new (static_cast<void*>(chunks_[place.chunk_idx] + place.item_idx)) T(item);
        return size_++;
    }

    // Requires: `id` was returned by `append`.
    T& operator[](std::size_t id) noexcept {
        const Place place = place_of(id);
        return chunks_[place.chunk_idx][place.item_idx];
    }
    const T& operator[](std::size_t id) const noexcept {
        const Place place = place_of(id);
        return chunks_[place.chunk_idx][place.item_idx];
    }

    std::size_t size() const noexcept { return size_; }
    std::size_t chunk_count() const noexcept { return chunk_count_; }

private:
    static constexpr int first_bit = std::countr_zero(first_count);
    static constexpr std::size_t most_chunks = 48 - static_cast<std::size_t>(first_bit);

    struct Place {
        std::size_t chunk_idx;
        std::size_t item_idx;
    };
    static constexpr std::size_t chunk_items(std::size_t chunk_idx) noexcept {
        return first_count << chunk_idx;
    }
    static constexpr Place place_of(std::size_t id) noexcept {
        const std::size_t shifted = id + first_count;
        const auto chunk_idx = static_cast<std::size_t>(std::bit_width(shifted) - 1 - first_bit);
        return {chunk_idx, shifted - chunk_items(chunk_idx)};
    }
    bool add_chunk() noexcept {
        if (chunk_count_ == most_chunks) {
            return false;
        }
        const std::size_t bytes = chunk_items(chunk_count_) * sizeof(T);
        auto* const chunk = static_cast<T*>(allocator_->allocate(bytes, alignof(T)));
        if (chunk == nullptr) {
            return false;
        }
        chunks_[chunk_count_++] = chunk;
        return true;
    }

    A* allocator_;
    std::size_t size_ = 0;
    std::size_t chunk_count_ = 0;
    std::array<T*, most_chunks> chunks_{};
};

} // namespace alloclab
