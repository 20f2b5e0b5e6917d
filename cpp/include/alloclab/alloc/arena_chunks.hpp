// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab {

// The head of each mapping an arena holds; blocks follow it.
//   this + 1 <= closed_at <= this + bytes; memory from dirty_end to the end is zero
// `closed_at` and `dirty_end` are only up to date while the chunk is not the one being filled.
struct ArenaChunk {
    ArenaChunk* previous;
    std::size_t bytes;
    std::uintptr_t closed_at; // where the blocks end
    std::uintptr_t dirty_end; // where the bytes that were ever handed out end
    std::size_t serial;   // its place in the chain, from 1; of oversize chunks a count of births
    std::uintptr_t block; // of an oversize chunk: its one block

    std::uintptr_t first() const { return reinterpret_cast<std::uintptr_t>(this + 1); }
    std::uintptr_t end() const { return reinterpret_cast<std::uintptr_t>(this) + bytes; }
    bool contains(const void* memory) const {
        const auto address = reinterpret_cast<std::uintptr_t>(memory);
        return address >= first() && address < end();
    }
};
static_assert(sizeof(ArenaChunk) % 16 == 0, "the first block is aligned without a gap");

// Bytes a chunk must have for a block of `size` at `alignment`. Chunks start on pages.
// Returns 0 when no mapping could be that large.
constexpr std::size_t chunk_bytes_for(std::size_t size, std::size_t alignment) {
    constexpr std::size_t limit = SIZE_MAX / 4;
    if (size > limit || alignment > limit) {
        return 0;
    }
    return align_up(align_up(sizeof(ArenaChunk), alignment) + size, page_bytes);
}

// What an arena holds.
//   used + tail_waste + room + spare + header bytes = reserved_bytes
struct ArenaStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0;  // whole pages that were ever written, headers included
    std::size_t used_bytes = 0;       // blocks, live or not, and the padding between them
    std::size_t tail_waste_bytes = 0; // at the ends of chunks that are full
    std::size_t room_bytes = 0;       // left in the chunk being filled
    std::size_t spare_bytes = 0;      // in chunks kept by a reset or a rewind
    std::size_t header_bytes = 0;
    std::size_t chunk_count = 0; // spare ones not counted
    std::size_t oversize_count = 0;
    std::size_t spare_count = 0;
    std::size_t reset_count = 0;          // 0 with bytes used: an arena nobody resets (row S44)
    std::size_t refused_rewind_count = 0; // rewinds to a mark that was not good

    ArenaStats& operator+=(const ArenaStats& other);
};

inline ArenaStats& ArenaStats::operator+=(const ArenaStats& other) {
    reserved_bytes += other.reserved_bytes;
    committed_bytes += other.committed_bytes;
    used_bytes += other.used_bytes;
    tail_waste_bytes += other.tail_waste_bytes;
    room_bytes += other.room_bytes;
    spare_bytes += other.spare_bytes;
    header_bytes += other.header_bytes;
    chunk_count += other.chunk_count;
    oversize_count += other.oversize_count;
    spare_count += other.spare_count;
    reset_count += other.reset_count;
    refused_rewind_count += other.refused_rewind_count;
    return *this;
}

} // namespace alloclab
