// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/chain.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

#ifdef NDEBUG
inline constexpr bool freelist_is_checked_by_default = false;
#else
inline constexpr bool freelist_is_checked_by_default = true;
#endif

// One size of block, 8 bytes to 1 MiB, and how many of them a chunk holds, 1 to 2^16.
struct FreelistOptions {
    std::size_t block_bytes = 64;
    std::size_t blocks_per_chunk = 1984; // with the rest, 128 KiB of blocks of 64 bytes

    // Names: block_bytes, blocks_per_chunk. Returns false, and changes nothing, for an unknown name
    // or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct FreelistStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // whole pages that were ever written
    std::size_t block_live_bytes = 0;
    std::size_t live_count = 0;
    std::size_t chunk_count = 0;
    std::size_t rejected_frees = 0; // foreign or free blocks given to a checked freelist

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("live_count", live_count);
        visitor("chunk_count", chunk_count);
        visitor("rejected_frees", rejected_frees);
    }
};

// The head of a chunk. The numbers of its free blocks follow, two bytes each, last freed last;
// then, in a checked freelist, a bit a block; then the blocks. No free block is read or written.
//   live blocks = carved_count - free_count
// `free_count` is only up to date while the freelist has not opened the chunk.
struct FreelistShard {
    FreelistShard* next;
    FreelistShard* previous;
    std::uint32_t free_count;
    std::uint32_t carved_count; // blocks that were ever in use; the memory behind them is untouched
    bool is_full;               // in the list of chunks without a free block
};

// A chunk that is being allocated from or freed into, its count at hand: where it stood in the
// chunk each call would wait for the store of the one before.
//   free numbers are [bottom, top); all of its carved blocks are free when top == stop
struct OpenShard {
    FreelistShard* shard = nullptr;
    std::uint16_t* bottom = nullptr;
    std::uint16_t* top = nullptr;
    std::uint16_t* stop = nullptr;

    void open(FreelistShard* opened, std::uint16_t* numbers) noexcept {
        shard = opened;
        bottom = numbers;
        top = bottom + opened->free_count;
        stop = bottom + opened->carved_count;
    }
    void write_back() noexcept {
        if (shard != nullptr) {
            shard->free_count = static_cast<std::uint32_t>(top - bottom);
        }
    }
    void close() noexcept {
        write_back();
        *this = {};
    }
};

using ShardList = Chain<FreelistShard>;

// Where things stand in a chunk. All chunks of a freelist are alike.
struct FreelistGeometry {
    std::size_t block_bytes = 0;
    std::size_t alignment = 0;    // of every block: the largest power of two that divides its size
    std::size_t first_offset = 0; // of the first block in the chunk
    std::size_t numbers_offset = 0;
    std::size_t chunk_bytes = 0;     // 0: no such chunk is possible
    std::size_t shard_alignment = 0; // a power of two of at least chunk_bytes
    std::size_t live_bit_bytes = 0;  // of a checked freelist
    std::uint32_t block_count = 0;
    std::uint64_t reciprocal = 0; // 2^64 / block_bytes, rounded up

    FreelistGeometry(const FreelistOptions& options, bool has_live_bits) noexcept;

    FreelistShard* create_shard(void* memory) const noexcept;
    std::uint16_t* numbers_of(const FreelistShard* shard) const noexcept {
        auto* const chunk = reinterpret_cast<std::byte*>(const_cast<FreelistShard*>(shard));
        return reinterpret_cast<std::uint16_t*>(chunk + numbers_offset);
    }
    // Makes the next page's worth of untouched blocks free, so that they come in address order.
    // Returns whether there were any. Requires: no block of the chunk is free.
    bool carve(OpenShard& open) const noexcept;
    // Puts free blocks that jump about into address order, the lowest first to come, so that what
    // is allocated together stands together. Cost: O(free blocks), which as many allocations share.
    void put_in_order(FreelistShard& shard) const noexcept;
    std::uint16_t number_of(const FreelistShard* shard, const void* block) const noexcept {
        return static_cast<std::uint16_t>(index_of(shard, block));
    }
    // Whether a block starts at `block`, in use or not.
    bool is_block(const FreelistShard& shard, const void* block) const noexcept;
    bool is_live(const FreelistShard* shard, const void* block) const noexcept;
    void set_live(FreelistShard* shard, const void* block, bool is_live) const noexcept;
    void add_stats(const FreelistShard& shard, FreelistStats& stats) const noexcept;

private:
    bool runs_evenly(const FreelistShard& shard) const noexcept;
    std::uint8_t* live_bits(const FreelistShard* shard) const noexcept;
    std::size_t index_of(const FreelistShard* shard, const void* block) const noexcept {
        __extension__ using Product = unsigned __int128;
        const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(block) -
                                                       reinterpret_cast<const std::byte*>(shard));
        return static_cast<std::size_t>(Product{offset - first_offset} * reciprocal >> 64);
    }
};

} // namespace alloclab
