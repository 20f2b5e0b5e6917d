// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena_options.hpp>

#include <alloclab/alloc/option_text.hpp>

namespace alloclab {
namespace {

bool parse_chunk_bytes(std::string_view text, std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || value < page_bytes || value > (std::size_t{1} << 40)) {
        return false;
    }
    out = value;
    return true;
}

bool parse_growth(std::string_view text, double& out) {
    double value = 0;
    if (!parse_ratio(text, value) || value < 1 || value > 16) {
        return false;
    }
    out = value;
    return true;
}

bool parse_reset_mode(std::string_view text, ResetMode& out) {
    if (text == "free_all") {
        out = ResetMode::free_all;
    } else if (text == "retain_capacity") {
        out = ResetMode::retain_capacity;
    } else if (text == "retain_with_limit") {
        out = ResetMode::retain_with_limit;
    } else {
        return false;
    }
    return true;
}

} // namespace

bool ArenaOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "initial_bytes") {
        return parse_chunk_bytes(value, initial_bytes);
    }
    if (name == "growth") {
        return parse_growth(value, growth);
    }
    if (name == "max_chunk_bytes") {
        return parse_chunk_bytes(value, max_chunk_bytes);
    }
    if (name == "reset") {
        return parse_reset_mode(value, reset);
    }
    if (name == "retain_limit_bytes") {
        return parse_bytes(value, retain_limit_bytes);
    }
    return false;
}

} // namespace alloclab
