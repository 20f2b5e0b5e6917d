// SPDX-License-Identifier: MIT
#include <alloclab/alloc/pool/pool_options.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/alloc/pool/size_classes.hpp>
#include <alloclab/base/bits.hpp>

namespace alloclab {
bool PoolOptions::set(std::string_view name, std::string_view value) noexcept {
    constexpr std::size_t mebibyte = std::size_t{1} << 20;
    if (name == "region_bytes") {
        return parse_bytes_within(value, mebibyte, std::size_t{1} << 40, region_bytes);
    }
    if (name == "classes_per_doubling") {
        std::size_t spacing = 0;
        if (!parse_bytes_within(value, 1, pool::max_classes_per_doubling, spacing) ||
            !is_power_of_two(spacing)) {
            return false;
        }
        classes_per_doubling = spacing;
        return true;
    }
    if (name == "purge") {
        return parse_flag(value, purge);
    }
    if (name == "purge_slack_divisor") {
        return parse_bytes_within(value, 1, 1024, purge_slack_divisor);
    }
    if (name == "decay_ms") {
        return parse_bytes_within(value, 0, 86'400'000, decay_ms);
    }
    if (name == "background") {
        return parse_flag(value, background);
    }
    if (name == "huge_pages_from_bytes") {
        return parse_bytes(value, huge_pages_from_bytes);
    }
    if (name == "populate_bytes") {
        return parse_bytes_within(value, 0, 2 * mebibyte, populate_bytes);
    }
    return false;
}

} // namespace alloclab
