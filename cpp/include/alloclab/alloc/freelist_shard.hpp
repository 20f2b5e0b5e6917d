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

// One size of block, 8 bytes to 1 MiB, and how many of them a chunk holds, 1 to 2^20.
struct FreelistOptions {
    std::size_t block_bytes = 64;
    std::size_t blocks_per_chunk = 1023; // with the header, 64 KiB of blocks of 64 bytes

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

struct FreeBlock {
    FreeBlock* next;
};

// The head of a chunk; in a checked freelist a bit a block follows it, then come the blocks.
//   live_count + blocks in free + blocks never carved = blocks of the chunk
struct FreelistShard {
    FreeBlock* free;
    FreelistShard* next;
    FreelistShard* previous;
    std::uint32_t live_count;
    std::uint32_t carved_count; // blocks that were ever in use; the memory behind them is untouched
    bool is_full;               // in the list of chunks without a free block
};

using ShardList = Chain<FreelistShard>;

// Where things stand in a chunk. All chunks of a freelist are alike.
struct FreelistGeometry {
    std::size_t block_bytes = 0;
    std::size_t alignment = 0;    // of every block: the largest power of two that divides its size
    std::size_t first_offset = 0; // of the first block in the chunk
    std::size_t chunk_bytes = 0;  // 0: no such chunk is possible
    std::size_t shard_alignment = 0; // a power of two of at least chunk_bytes
    std::uint32_t block_count = 0;

    FreelistGeometry(const FreelistOptions& options, bool has_live_bits) noexcept;

    FreelistShard* create_shard(void* memory) const noexcept;
    bool is_exhausted(const FreelistShard& shard) const noexcept {
        return shard.free == nullptr && shard.carved_count == block_count;
    }
    // Turns the next page's worth of untouched blocks into free ones, in address order.
    // Requires: the free list is empty and the shard is not exhausted.
    void carve(FreelistShard& shard) const noexcept;
    // Puts a free list that jumps about into address order, so that what is allocated together
    // stands together; leaves one alone that runs evenly, or is of a chunk of more than 4096
    // blocks. Cost: O(blocks in the list), which as many allocations share.
    void put_in_order(FreelistShard& shard) const noexcept;
    // Whether a block starts at `block`, in use or not.
    bool is_block(const FreelistShard& shard, const void* block) const noexcept;
    bool is_live(const FreelistShard* shard, const void* block) const noexcept;
    void set_live(FreelistShard* shard, const void* block, bool is_live) const noexcept;
    void add_stats(const FreelistShard& shard, FreelistStats& stats) const noexcept;

private:
    bool runs_evenly(const FreelistShard& shard) const noexcept;
    std::size_t index_of(const FreelistShard* shard, const void* block) const noexcept;
};

} // namespace alloclab
