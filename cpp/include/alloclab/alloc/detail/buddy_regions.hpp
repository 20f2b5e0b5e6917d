// SPDX-License-Identifier: MIT
#pragma once

// The other half of buddy.hpp: joining, regions coming and going, and looking at it all.

namespace alloclab {

template <PageSource Source> void Buddy<Source>::release(void* memory, unsigned order) noexcept {
    BuddyRegion* const region = geometry_.region_of(memory);
    std::size_t node = geometry_.node_of(region, memory, order);
    live_bytes_ -= std::size_t{1} << order;
    while (order < geometry_.region_order && geometry_.is_free(region, node ^ 1)) {
        unlink(region, geometry_.block_of(region, node ^ 1, order), node ^ 1, order);
        node /= 2;
        ++order;
        geometry_.clear_split(region, node);
    }
    const bool is_empty = order == geometry_.region_order;
    if (is_empty && (orders_ >> order) != 0) [[unlikely]] {
        drop(region); // another region is empty already
        return;
    }
    link(region, geometry_.block_of(region, node, order), node, order);
}

template <PageSource Source>
bool Buddy<Source>::resize(void* block, std::size_t old_size, std::size_t new_size,
                           std::size_t alignment) noexcept {
    const unsigned old_order = geometry_.order_for(old_size, alignment);
    const unsigned new_order = geometry_.order_for(new_size, alignment);
    if (block == nullptr || new_order > geometry_.region_order) {
        return false;
    }
    BuddyRegion* const region = geometry_.region_of(block);
    std::size_t node = geometry_.node_of(region, block, old_order);
    if (new_order <= old_order) {
        cut(region, node, old_order, new_order);
    } else {
        std::size_t grown = node;
        for (unsigned order = old_order; order < new_order; ++order, grown /= 2) {
            if (grown % 2 != 0 || !geometry_.is_free(region, grown + 1)) {
                return false;
            }
        }
        for (unsigned order = old_order; order < new_order; ++order) {
            unlink(region, geometry_.block_of(region, node + 1, order), node + 1, order);
            node /= 2;
            geometry_.clear_split(region, node);
        }
    }
    live_bytes_ += (std::size_t{1} << new_order) - (std::size_t{1} << old_order);
    return true;
}

template <PageSource Source> [[gnu::noinline]] bool Buddy<Source>::add_region() noexcept {
    void* const memory = source_.map(geometry_.mapped_bytes(), geometry_.region_bytes());
    if (memory == nullptr) {
        return false;
    }
    BuddyRegion* const region = geometry_.region_of(memory);
    region->blocks = static_cast<std::byte*>(memory);
    if (!Source::maps_zeroed) {
        clear_bits(region);
    }
    regions_.push_front(region);
    ++region_count_;
    link(region, static_cast<BuddyBlock*>(memory), 1, geometry_.region_order);
    return true;
}

template <PageSource Source> void Buddy<Source>::reset() noexcept {
    orders_ = 0;
    live_bytes_ = 0;
    std::fill(std::begin(heads_), std::end(heads_), nullptr);
    while (region_count_ > 1) {
        drop(regions_.first);
    }
    if (BuddyRegion* const region = regions_.first) {
        clear_bits(region);
        link(region, geometry_.block_of(region, 1, geometry_.region_order), 1,
             geometry_.region_order);
    }
}

template <PageSource Source> bool Buddy<Source>::owns(const void* block) const noexcept {
    for (const BuddyRegion* region = regions_.first; region != nullptr; region = region->next) {
        const auto* const at = static_cast<const std::byte*>(block);
        if (at >= region->blocks && at < region->blocks + geometry_.region_bytes()) {
            return true;
        }
    }
    return false;
}

template <PageSource Source> BuddyStats Buddy<Source>::stats() const noexcept {
    Stats stats;
    stats.region_count = region_count_;
    stats.bitmap_bytes = region_count_ * geometry_.bitmap_bytes;
    stats.reserved_bytes = region_count_ * geometry_.mapped_bytes();
    stats.committed_bytes = stats.reserved_bytes;
    stats.block_live_bytes = live_bytes_;
    stats.free_bytes = region_count_ * geometry_.region_bytes() - live_bytes_;
    stats.largest_free_bytes = orders_ == 0 ? 0 : std::size_t{1} << (std::bit_width(orders_) - 1);
    return stats;
}

template <PageSource Source> bool Buddy<Source>::check_invariants() const noexcept {
    std::size_t free_bytes = 0;
    std::size_t live_bytes = 0;
    bool holds = true;
    for (const BuddyRegion* region = regions_.first; region != nullptr; region = region->next) {
        holds &= geometry_.check_node(region, 1, geometry_.region_order, free_bytes, live_bytes);
    }
    holds &= live_bytes == live_bytes_;
    holds &= live_bytes + free_bytes == region_count_ * geometry_.region_bytes();
    for (unsigned order = 0; order < order_count; ++order) {
        holds &= (heads_[order] != nullptr) == ((orders_ >> order & 1) != 0);
        for (const BuddyBlock* block = heads_[order]; block != nullptr; block = block->next) {
            const BuddyRegion* const region = geometry_.region_of(block);
            holds &= geometry_.is_free(region, geometry_.node_of(region, block, order));
            free_bytes -= std::size_t{1} << order;
        }
    }
    return holds && free_bytes == 0;
}

} // namespace alloclab
