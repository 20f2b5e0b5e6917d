// SPDX-License-Identifier: MIT
#include <alloclab/alloc/combinator_options.hpp>

#include <alloclab/alloc/option_text.hpp>

namespace alloclab {
namespace {

constexpr std::size_t largest_step_bytes = std::size_t{1} << 30;
constexpr std::size_t most_steps_per_doubling = 64;

bool parse_bytes_between(std::string_view text, std::size_t least, std::size_t most,
                         std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || value < least || value > most) {
        return false;
    }
    out = value;
    return true;
}

bool parse_power_of_two(std::string_view text, std::size_t most, std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes_between(text, 1, most, value) || !is_power_of_two(value)) {
        return false;
    }
    out = value;
    return true;
}

bool parse_steps(std::string_view text, std::size_t& out) {
    if (text == "0") {
        out = 0;
        return true;
    }
    return parse_power_of_two(text, most_steps_per_doubling, out);
}

} // namespace

bool SegregatorOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "threshold_bytes") {
        return parse_bytes(value, threshold_bytes);
    }
    return name == "small_alignment_bytes" &&
           parse_power_of_two(value, largest_step_bytes, small_alignment_bytes);
}

bool QuantizerOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "quantum_bytes") {
        return parse_power_of_two(value, largest_step_bytes, steps.quantum_bytes);
    }
    return name == "steps_per_doubling" && parse_steps(value, steps.steps_per_doubling);
}

bool BucketizerOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "min_bytes") {
        return parse_bytes_between(value, 1, largest_step_bytes, min_bytes);
    }
    if (name == "max_bytes") {
        return parse_bytes_between(value, 1, largest_step_bytes, max_bytes);
    }
    if (name == "step_bytes") {
        return parse_power_of_two(value, largest_step_bytes, step_bytes);
    }
    return name == "steps_per_doubling" && parse_steps(value, steps_per_doubling);
}

bool AffixOptions::set(std::string_view name, std::string_view value) noexcept {
    constexpr std::size_t largest_affix_bytes = std::size_t{1} << 20;
    if (name == "prefix_bytes") {
        return parse_bytes_between(value, 0, largest_affix_bytes, prefix_bytes);
    }
    return name == "suffix_bytes" &&
           parse_bytes_between(value, 0, largest_affix_bytes, suffix_bytes);
}

bool LimitOptions::set(std::string_view name, std::string_view value) noexcept {
    return name == "limit_bytes" && parse_bytes(value, limit_bytes);
}

bool ThreadLocalOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name != "on_exit" || (value != "keep" && value != "drain")) {
        return false;
    }
    on_exit = value == "keep" ? ThreadExit::keep : ThreadExit::drain;
    return true;
}

} // namespace alloclab
