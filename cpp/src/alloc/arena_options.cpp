// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena_options.hpp>

#include <alloclab/alloc/option_text.hpp>

#include <array>
#include <utility>

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

// Reads one of the names of an enumeration.
template <class Value, std::size_t count>
bool parse_name(std::string_view text,
                const std::array<std::pair<std::string_view, Value>, count>& names, Value& out) {
    for (const auto& [name, value] : names) {
        if (name == text) {
            out = value;
            return true;
        }
    }
    return false;
}

constexpr std::array<std::pair<std::string_view, ResetMode>, 3> reset_names{{
    {"free_all", ResetMode::free_all},
    {"retain_capacity", ResetMode::retain_capacity},
    {"retain_with_limit", ResetMode::retain_with_limit},
}};

constexpr std::array<std::pair<std::string_view, ArenaPoison>, 3> poison_names{{
    {"none", ArenaPoison::none},
    {"fill", ArenaPoison::fill},
    {"protect", ArenaPoison::protect},
}};

} // namespace

bool ArenaOptions::set_preset(std::string_view name) noexcept {
    ArenaOptions preset;
    preset.poison = poison;
    if (name == "page_chain" || name == "lexlang" || name == "swiftlang") {
        preset.growth = 1.0;
        preset.max_chunk_bytes = preset.initial_bytes;
    } else if (name == "roc") {
        preset.growth = 1.5;
        preset.max_chunk_bytes = std::size_t{1} << 30;
        preset.extend = true;
        preset.reset = ResetMode::retain_with_limit;
    } else if (name != "doubling" && name != "weir") {
        return false;
    }
    *this = preset;
    return true;
}

bool ArenaOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "preset") {
        return set_preset(value);
    }
    if (name == "initial_bytes") {
        return parse_chunk_bytes(value, initial_bytes);
    }
    if (name == "growth") {
        return parse_growth(value, growth);
    }
    if (name == "max_chunk_bytes") {
        return parse_chunk_bytes(value, max_chunk_bytes);
    }
    if (name == "extend") {
        return parse_flag(value, extend);
    }
    if (name == "reset") {
        return parse_name(value, reset_names, reset);
    }
    if (name == "retain_limit_bytes") {
        return parse_bytes(value, retain_limit_bytes);
    }
    if (name == "poison") {
        return parse_name(value, poison_names, poison);
    }
    return false;
}

} // namespace alloclab
