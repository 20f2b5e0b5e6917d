// SPDX-License-Identifier: MIT
#include <alloclab/alloc/option_text.hpp>

namespace alloclab {
namespace {

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

// Takes the digits `text` starts with, at most `limit`. Returns how many there were; more than
// `limit` when there are too many.
std::size_t take_digits(std::string_view& text, std::size_t limit, std::size_t& value) {
    std::size_t digit_count = 0;
    value = 0;
    while (!text.empty() && is_digit(text.front()) && digit_count <= limit) {
        value = value * 10 + static_cast<std::size_t>(text.front() - '0');
        text.remove_prefix(1);
        ++digit_count;
    }
    return digit_count;
}

// The shift a unit stands for, or -1 for a unit nobody knows.
int shift_of_unit(std::string_view unit) {
    if (unit.empty() || unit == "B") {
        return 0;
    }
    const std::string_view tail(unit.data() + 1, unit.size() - 1);
    if (!tail.empty() && tail != "iB") {
        return -1;
    }
    switch (unit.front()) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 'T':
        return 40;
    default:
        return -1;
    }
}

} // namespace

bool parse_bytes(std::string_view text, std::size_t& out) noexcept {
    constexpr std::size_t digit_limit = 18; // always fits 64 bits
    std::size_t value = 0;
    const std::size_t digit_count = take_digits(text, digit_limit, value);
    if (digit_count == 0 || digit_count > digit_limit) {
        return false;
    }
    if (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
        if (text.empty()) {
            return false;
        }
    }
    const int shift = shift_of_unit(text);
    if (shift < 0 || (value << shift) >> shift != value) {
        return false;
    }
    out = value << shift;
    return true;
}

bool parse_bytes_within(std::string_view text, std::size_t low, std::size_t high,
                        std::size_t& out) noexcept {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || value < low || value > high) {
        return false;
    }
    out = value;
    return true;
}

bool parse_ratio(std::string_view text, double& out) noexcept {
    constexpr std::size_t digit_limit = 9;
    std::size_t whole = 0;
    const std::size_t whole_digits = take_digits(text, digit_limit, whole);
    if (whole_digits == 0 || whole_digits > digit_limit) {
        return false;
    }
    double value = static_cast<double>(whole);
    if (!text.empty()) {
        if (text.front() != '.') {
            return false;
        }
        text.remove_prefix(1);
        std::size_t fraction = 0;
        const std::size_t digit_count = take_digits(text, digit_limit, fraction);
        if (digit_count == 0 || digit_count > digit_limit || !text.empty()) {
            return false;
        }
        double scale = 1;
        for (std::size_t digit_idx = 0; digit_idx < digit_count; ++digit_idx) {
            scale *= 10;
        }
        value += static_cast<double>(fraction) / scale;
    }
    out = value;
    return true;
}

bool parse_flag(std::string_view text, bool& out) noexcept {
    if (text == "1" || text == "true" || text == "on" || text == "yes") {
        out = true;
        return true;
    }
    if (text == "0" || text == "false" || text == "off" || text == "no") {
        out = false;
        return true;
    }
    return false;
}

} // namespace alloclab
