// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/chain.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// One size of object, 8 bytes to 128 KiB; how large a slab is, 4 KiB to 1 MiB and a power of two,
// raised where fewer than 8 objects would fit; how many empty slabs are kept; and whether the
// objects of successive slabs begin at shifted offsets.
struct SlabOptions {
    std::size_t object_bytes = 64;
    std::size_t slab_bytes = 16384;
    std::size_t retained_slabs = 16;
    bool is_coloured = true;

    // Names: object_bytes, slab_bytes, retained_slabs, colour. Returns false, and changes nothing,
    // for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct SlabStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // the same: slabs are small, and all of one is soon written
    std::size_t block_live_bytes = 0;
    std::size_t live_count = 0;
    std::size_t slab_count = 0;
    std::size_t empty_slab_count = 0;
    std::size_t rejected_frees = 0; // of objects that were free already

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("live_count", live_count);
        visitor("slab_count", slab_count);
        visitor("empty_slab_count", empty_slab_count);
        visitor("rejected_frees", rejected_frees);
    }
};

// The head of a slab; a bit an object follows it, set while the object is free, then the objects.
//   free_count = bits set;  words before first_word are 0
struct SlabHead {
    SlabHead* next;
    SlabHead* previous;
    std::uint32_t free_count;
    std::uint32_t first_word;    // no object is free in the words before it
    std::uint32_t first_offset;  // of the first object; the colour
    std::uint32_t is_in_partial; // in the chain of slabs with a free object
    std::uint64_t free_bits[1];  // really as many as there are objects

    std::byte* bytes() { return reinterpret_cast<std::byte*>(this); }
};

// Where things stand in a slab. All slabs of a cache are alike but for their colour.
struct SlabGeometry {
    std::size_t object_bytes = 0;
    std::size_t slab_bytes = 0;
    std::size_t alignment = 0; // of every object: the largest power of two that divides its size
    std::uint32_t object_count = 0;
    std::uint32_t word_count = 0;
    std::uint32_t first_offset = 0; // without a colour
    std::uint32_t colour_count = 1;
    std::uint64_t reciprocal = 0; // of object_bytes, times 2^44

    explicit SlabGeometry(const SlabOptions& options) noexcept;

    SlabHead* slab_of(const void* object) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(object);
        return reinterpret_cast<SlabHead*>(address & ~(slab_bytes - 1));
    }
    // Exact: offset times size is below 2^44, so the rounding of the reciprocal stays below one.
    std::uint32_t index_at(std::size_t offset) const noexcept {
        return static_cast<std::uint32_t>((offset * reciprocal) >> 44);
    }
    std::uint32_t index_of(SlabHead* slab, const void* object) const noexcept {
        const auto offset =
            static_cast<std::size_t>(static_cast<const std::byte*>(object) - slab->bytes());
        return index_at(offset - slab->first_offset);
    }
    // Writes the head of an empty slab. `serial` chooses the colour.
    SlabHead* create_slab(void* memory, std::size_t serial) const noexcept;
    // Takes the free object with the lowest address. Requires: there is one.
    void* take(SlabHead* slab) const noexcept {
        std::uint32_t word_idx = slab->first_word;
        while (slab->free_bits[word_idx] == 0) {
            ++word_idx;
        }
        slab->first_word = word_idx;
        std::uint64_t& word = slab->free_bits[word_idx];
        const std::size_t object_idx = word_idx * std::size_t{64} + std::countr_zero(word);
        word &= word - 1;
        --slab->free_count;
        return slab->bytes() + slab->first_offset + object_idx * object_bytes;
    }
    // Returns false, having changed nothing, when the object is free already.
    bool give_back(SlabHead* slab, const void* object) const noexcept {
        const std::uint32_t object_idx = index_of(slab, object);
        const std::uint32_t word_idx = object_idx / 64;
        const std::uint64_t bit = std::uint64_t{1} << (object_idx % 64);
        if ((slab->free_bits[word_idx] & bit) != 0) [[unlikely]] {
            return false;
        }
        slab->free_bits[word_idx] |= bit;
        slab->first_word = word_idx < slab->first_word ? word_idx : slab->first_word;
        ++slab->free_count;
        return true;
    }
    bool is_consistent(const SlabHead& slab) const noexcept;
};

} // namespace alloclab
