// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace alloclab {

// Reads a line's words and numbers from its front. Every call takes what it names and returns
// whether it was there; when it was not, nothing is taken.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool is_at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

    // Takes one character.
    bool take(char wanted) {
        if (!rest_.starts_with(wanted)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view wanted) {
        if (!rest_.starts_with(wanted)) {
            return false;
        }
        rest_.remove_prefix(wanted.size());
        return true;
    }

    // Takes spaces and tabs; returns whether there was one.
    bool spaces() {
        const std::size_t before = rest_.size();
        while (rest_.starts_with(' ') || rest_.starts_with('\t')) {
            rest_.remove_prefix(1);
        }
        return rest_.size() != before;
    }

    // Takes what comes before any of `ends`, or all; it may be empty.
    std::string_view until(std::string_view ends) {
        const std::size_t length = rest_.find_first_of(ends);
        const std::string_view word = rest_.substr(0, length);
        rest_.remove_prefix(word.size());
        return word;
    }

    // An unsigned number without a sign, below 2^64.
    bool number(std::uint64_t& value, int base = 10) {
        const auto [end, error] =
            std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
        if (error != std::errc{}) {
            return false;
        }
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return true;
    }

    // An address: hexadecimal, with or without "0x".
    bool address(std::uint64_t& value) {
        const std::string_view before = rest_;
        if (!take("0x")) {
            take("0X");
        }
        if (!number(value, 16)) {
            rest_ = before;
            return false;
        }
        return true;
    }

private:
    std::string_view rest_;
};

} // namespace alloclab
