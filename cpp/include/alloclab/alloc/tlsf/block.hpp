// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::tlsf {

// The head of a block. Blocks of a chunk stand one behind the other, from the chunk's head to a
// sentinel of span 0:
//   next() = this + span(), span() a multiple of 16 and at least min_span
// A live block's bytes go on over the first field of the head behind it, so that a block costs 8
// bytes beside its own. Two neighbours are never both free.
struct Block {
    Block* previous;           // in memory; only while is_previous_free()
    std::size_t tagged_span;   // span | flags
    Block* next_free;          // these two only while is_free()
    Block** link_to_this_free; // the list's head, or next_free of the block before in the list

    static constexpr std::size_t free_flag = 1;
    static constexpr std::size_t previous_free_flag = 2;
    static constexpr std::size_t first_flag = 4; // the first of its chunk
    static constexpr std::size_t flags = 15;

    std::size_t span() const { return tagged_span & ~flags; }
    bool is_free() const { return (tagged_span & free_flag) != 0; }
    bool is_previous_free() const { return (tagged_span & previous_free_flag) != 0; }
    bool is_first() const { return (tagged_span & first_flag) != 0; }
    Block* next() { return at(span()); }
    const Block* next() const { return const_cast<Block*>(this)->next(); }
    // All of its chunk, and free.
    bool is_whole_chunk() const { return is_first() && is_free() && next()->span() == 0; }

    Block* at(std::size_t offset) {
        return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) + offset);
    }
    void* memory() { return &next_free; }
    std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(&next_free); }
    std::size_t usable_bytes() const { return span() - sizeof(tagged_span); }
    static Block* of(const void* memory) {
        return reinterpret_cast<Block*>(const_cast<std::byte*>(
            static_cast<const std::byte*>(memory) - offsetof(Block, next_free)));
    }
};

inline constexpr std::size_t granule_bytes = 16;
inline constexpr std::size_t min_span = sizeof(Block);
inline constexpr std::size_t max_span = std::size_t{1} << 39;

// The span of a block for `size` bytes, or 0 when no block is that large.
constexpr std::size_t span_for(std::size_t size) {
    if (size > max_span / 2) {
        return 0;
    }
    const std::size_t span = align_up(size + sizeof(std::size_t), granule_bytes);
    return span < min_span ? min_span : span;
}

// The head of a chunk; its first block follows, a sentinel's two fields end it.
//   first()->span() + ... = bytes - chunk_overhead_bytes
struct Chunk {
    Chunk* next;
    Chunk* previous;
    std::size_t bytes;
    std::size_t reserved;

    Block* first() { return reinterpret_cast<Block*>(this + 1); }
    const Block* first() const { return reinterpret_cast<const Block*>(this + 1); }
    static Chunk* of(Block* first_block) { return reinterpret_cast<Chunk*>(first_block) - 1; }
    bool contains(const void* memory) const {
        const auto address = reinterpret_cast<std::uintptr_t>(memory);
        const auto begin = reinterpret_cast<std::uintptr_t>(this);
        return address >= begin + sizeof(Chunk) && address < begin + bytes;
    }
};
inline constexpr std::size_t chunk_overhead_bytes = sizeof(Chunk) + offsetof(Block, next_free);

static_assert(sizeof(Block) % granule_bytes == 0 && sizeof(Chunk) % granule_bytes == 0);

} // namespace alloclab::tlsf
