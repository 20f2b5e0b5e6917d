// SPDX-License-Identifier: MIT
#include <alloclab/alloc/buddy_region.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>

namespace alloclab {
namespace {

constexpr unsigned min_block_order = 4;
constexpr unsigned max_min_block_order = 16;
constexpr unsigned min_region_order = 12;
constexpr unsigned max_region_order = 36;

bool parse_power(std::string_view text, unsigned low, unsigned high, std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || !is_power_of_two(value) || value < std::size_t{1} << low ||
        value > std::size_t{1} << high) {
        return false;
    }
    out = value;
    return true;
}

unsigned order_of(std::size_t bytes) {
    return static_cast<unsigned>(std::bit_width(std::max<std::size_t>(bytes, 1) - 1));
}

} // namespace

bool BuddyOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "min_block_bytes") {
        return parse_power(value, min_block_order, max_min_block_order, min_block_bytes);
    }
    if (name == "region_bytes") {
        return parse_power(value, min_region_order, max_region_order, region_bytes);
    }
    return false;
}

BuddyGeometry::BuddyGeometry(const BuddyOptions& options) noexcept
    : min_order(
          std::clamp(order_of(options.min_block_bytes), min_block_order, max_min_block_order)),
      region_order(std::clamp(order_of(options.region_bytes), std::max(min_region_order, min_order),
                              max_region_order)) {
    const std::size_t leaf_count = std::size_t{1} << (region_order - min_order);
    free_bits_at = (leaf_count + 63) / 64;
    const std::size_t word_count = free_bits_at + (2 * leaf_count + 63) / 64;
    bitmap_bytes =
        align_up(offsetof(BuddyRegion, bits) + word_count * sizeof(std::uint64_t), page_bytes);
}

unsigned BuddyGeometry::live_order(const void* block) const noexcept {
    const BuddyRegion* const region = region_of(block);
    unsigned order = region_order;
    while (order > min_order && is_split(region, node_of(region, block, order))) {
        --order;
    }
    return order;
}

bool BuddyGeometry::check_node(const BuddyRegion* region, std::size_t node, unsigned order,
                               std::size_t& free_bytes, std::size_t& live_bytes) const noexcept {
    const bool is_inner = order > min_order && is_split(region, node);
    if (is_free(region, node)) {
        free_bytes += std::size_t{1} << order;
        return !is_inner;
    }
    if (!is_inner) {
        live_bytes += std::size_t{1} << order;
        return true;
    }
    // Two free halves would have been joined.
    return !(is_free(region, 2 * node) && is_free(region, 2 * node + 1)) &&
           check_node(region, 2 * node, order - 1, free_bytes, live_bytes) &&
           check_node(region, 2 * node + 1, order - 1, free_bytes, live_bytes);
}

} // namespace alloclab
