// SPDX-License-Identifier: MIT
// The binary buddy system: K. C. Knowlton, "A fast storage allocator" (CACM 8(10), 1965); D. E.
// Knuth, The Art of Computer Programming, volume 1, 2.5. Changed: sizes are kept in bits beside the
// region and not in the blocks, and the lowest order with a free block is found by one instruction.
#pragma once

#include <alloclab/alloc/buddy_region.hpp>
#include <alloclab/alloc/chain.hpp>
#include <alloclab/alloc/concept.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace alloclab {

// Blocks of powers of two, cut by halving and joined with their other half as soon as both are
// free. Every block is aligned to its own size and has no header. One thread at a time. See
// docs/allocators/buddy.md.
//   live_bytes_ + bytes of free blocks = regions * region_bytes
//   bit of an order in orders_ set = there is a free block of it
template <PageSource Source = OsPageSource> class Buddy {
public:
    using Options = BuddyOptions;
    using Stats = BuddyStats;
    static constexpr Options default_options{};

    explicit Buddy(const Options& options = default_options, Source source = Source{}) noexcept
        : geometry_(options), source_(std::move(source)) {}
    ~Buddy() {
        while (regions_.first != nullptr) {
            drop(regions_.first);
        }
    }
    Buddy(const Buddy&) = delete;
    Buddy& operator=(const Buddy&) = delete;

    // Returns null for a size or an alignment above the region's, or when the page source refuses.
    // Cost: O(orders).
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const unsigned order = geometry_.order_for(size, alignment);
        if (order > geometry_.region_order) [[unlikely]] {
            return nullptr;
        }
        if ((orders_ >> order) == 0 && !add_region()) [[unlikely]] {
            return nullptr;
        }
        auto found = order + static_cast<unsigned>(std::countr_zero(orders_ >> order));
        BuddyBlock* const block = heads_[found];
        BuddyRegion* const region = geometry_.region_of(block);
        std::size_t node = geometry_.node_of(region, block, found);
        unlink(region, block, node, found);
        cut(region, node, found, order);
        live_bytes_ += std::size_t{1} << order;
        return block;
    }

    // Cost: O(orders).
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (block != nullptr) [[likely]] {
            release(block, geometry_.order_for(size, alignment));
        }
    }
    void deallocate(void* block) noexcept {
        if (block != nullptr) {
            release(block, geometry_.live_order(block));
        }
    }

    // Shrinks by giving upper halves back; grows a block that is the lower half at each step while
    // the upper half is free. Cost: O(orders).
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept;

    // Cost: O(orders).
    std::size_t usable_size(const void* block) const noexcept {
        return block != nullptr ? std::size_t{1} << geometry_.live_order(block) : 0;
    }

    // Ends the life of every block; keeps one region. Cost: O(regions), and clearing its bits.
    void reset() noexcept;

    bool owns(const void* block) const noexcept; // Cost: O(regions).
    Stats stats() const noexcept;                // Cost: O(regions).
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    // Whether bits, lists and sums agree. Cost: O(blocks).
    bool check_invariants() const noexcept;
    const BuddyGeometry& geometry() const noexcept { return geometry_; }
    Source& source() noexcept { return source_; }

private:
    static constexpr unsigned order_count = 64;

    void link(BuddyRegion* region, BuddyBlock* block, std::size_t node, unsigned order) noexcept {
        geometry_.flip_free(region, node);
        block->next = heads_[order];
        block->link_to_this = &heads_[order];
        if (block->next != nullptr) {
            block->next->link_to_this = &block->next;
        }
        heads_[order] = block;
        orders_ |= std::uint64_t{1} << order;
    }
    void unlink(BuddyRegion* region, BuddyBlock* block, std::size_t node, unsigned order) noexcept {
        geometry_.flip_free(region, node);
        *block->link_to_this = block->next;
        if (block->next != nullptr) {
            block->next->link_to_this = block->link_to_this;
        }
        if (heads_[order] == nullptr) {
            orders_ &= ~(std::uint64_t{1} << order);
        }
    }
    // Halves the block of `node`, which is in no list, from order `from` to order `to`; the upper
    // halves become free.
    void cut(BuddyRegion* region, std::size_t node, unsigned from, unsigned to) noexcept {
        while (from > to) {
            geometry_.set_split(region, node);
            node *= 2;
            --from;
            link(region, geometry_.block_of(region, node + 1, from), node + 1, from);
        }
    }
    void release(void* block, unsigned order) noexcept;
    bool add_region() noexcept;
    void clear_bits(BuddyRegion* region) noexcept {
        std::memset(region->bits, 0, geometry_.bitmap_bytes - offsetof(BuddyRegion, bits));
    }
    void drop(BuddyRegion* region) noexcept {
        regions_.unlink(region);
        --region_count_;
        source_.unmap(region->blocks, geometry_.mapped_bytes());
    }

    std::uint64_t orders_ = 0;
    BuddyBlock* heads_[order_count] = {};
    BuddyGeometry geometry_;
    std::size_t live_bytes_ = 0;
    std::size_t region_count_ = 0;
    Chain<BuddyRegion> regions_;
    [[no_unique_address]] Source source_;
};

} // namespace alloclab

#include <alloclab/alloc/detail/buddy_regions.hpp>
