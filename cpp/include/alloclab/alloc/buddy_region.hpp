// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// The smallest block a buddy allocator cuts and the regions it cuts from, whose size is also the
// largest block; both powers of two, 16 bytes to 64 KiB and 4 KiB to 64 GiB.
struct BuddyOptions {
    std::size_t min_block_bytes = 32;
    std::size_t region_bytes = std::size_t{64} << 20;

    // Names: min_block_bytes, region_bytes. Returns false, and changes nothing, for an unknown name
    // or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// What a buddy allocator holds.
//   block_live + free + bitmap bytes = reserved_bytes
struct BuddyStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // the same: which pages were written is not kept
    std::size_t block_live_bytes = 0;
    std::size_t free_bytes = 0;
    std::size_t bitmap_bytes = 0;
    std::size_t largest_free_bytes = 0;
    std::size_t region_count = 0;

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("free_bytes", free_bytes);
        visitor("bitmap_bytes", bitmap_bytes);
        visitor("largest_free_bytes", largest_free_bytes);
        visitor("region_count", region_count);
    }
};

struct BuddyBlock { // a free block
    BuddyBlock* next;
    BuddyBlock** link_to_this;
};

// What stands behind a region's blocks: the chain of regions, then the bits. A region is a binary
// tree; node 1 is all of it, nodes 2 n and 2 n + 1 are the halves of n. A node is split, free, or
// neither (a live block, or below one).
struct BuddyRegion {
    BuddyRegion* next;
    BuddyRegion* previous;
    std::byte* blocks;
    std::uint64_t bits[1]; // really a split bit for each inner node, then a free bit for each node
};

// Where things stand in a region. An order is the logarithm of a size; all regions are alike.
struct BuddyGeometry {
    unsigned min_order = 0;
    unsigned region_order = 0;
    std::size_t free_bits_at = 0; // the word they begin at
    std::size_t bitmap_bytes = 0; // with the head, in whole pages
    std::size_t region_bytes() const noexcept { return std::size_t{1} << region_order; }
    std::size_t mapped_bytes() const noexcept { return region_bytes() + bitmap_bytes; }

    explicit BuddyGeometry(const BuddyOptions& options) noexcept;

    // The order a request needs; above region_order when no block is that large.
    unsigned order_for(std::size_t size, std::size_t alignment) const noexcept {
        const std::size_t bytes = size > alignment ? size : alignment;
        const auto order = static_cast<unsigned>(std::bit_width(bytes - 1));
        return order > min_order ? order : min_order;
    }
    BuddyRegion* region_of(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        return reinterpret_cast<BuddyRegion*>(align_down(address, region_bytes()) + region_bytes());
    }
    std::size_t node_of(const BuddyRegion* region, const void* block,
                        unsigned order) const noexcept {
        const auto offset =
            static_cast<std::size_t>(static_cast<const std::byte*>(block) - region->blocks);
        return (std::size_t{1} << (region_order - order)) + (offset >> order);
    }
    BuddyBlock* block_of(const BuddyRegion* region, std::size_t node,
                         unsigned order) const noexcept {
        const std::size_t place = node - (std::size_t{1} << (region_order - order));
        return reinterpret_cast<BuddyBlock*>(region->blocks + (place << order));
    }

    bool is_split(const BuddyRegion* region, std::size_t node) const noexcept {
        return (region->bits[node / 64] >> (node % 64) & 1) != 0;
    }
    void set_split(BuddyRegion* region, std::size_t node) const noexcept {
        region->bits[node / 64] |= std::uint64_t{1} << (node % 64);
    }
    void clear_split(BuddyRegion* region, std::size_t node) const noexcept {
        region->bits[node / 64] &= ~(std::uint64_t{1} << (node % 64));
    }
    bool is_free(const BuddyRegion* region, std::size_t node) const noexcept {
        return (region->bits[free_bits_at + node / 64] >> (node % 64) & 1) != 0;
    }
    void flip_free(BuddyRegion* region, std::size_t node) const noexcept {
        region->bits[free_bits_at + node / 64] ^= std::uint64_t{1} << (node % 64);
    }

    // The order of the live block at `block`. Cost: O(orders).
    unsigned live_order(const void* block) const noexcept;
    // Whether the bits of the node and all below it make sense, adding up the bytes of its free and
    // live blocks. Cost: O(blocks).
    bool check_node(const BuddyRegion* region, std::size_t node, unsigned order,
                    std::size_t& free_bytes, std::size_t& live_bytes) const noexcept;
};

} // namespace alloclab
