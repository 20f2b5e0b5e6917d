// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

// Reads the values of allocator options from text, without heap, locale or exceptions. Each
// returns false and leaves `out` alone unless all of `text` is a value of its kind.

// "65536", "64 KiB", "64KiB", "64k", "2 MiB", "1G": a whole number and a power of 1024.
bool parse_bytes(std::string_view text, std::size_t& out) noexcept;

// The same, from `low` to `high`.
bool parse_bytes_within(std::string_view text, std::size_t low, std::size_t high,
                        std::size_t& out) noexcept;

// "1", "2.0", "1.25": digits and at most one point. At most 9 digits on either side.
bool parse_ratio(std::string_view text, double& out) noexcept;

// "0", "1", "false", "true", "off", "on", "no", "yes", in small letters.
bool parse_flag(std::string_view text, bool& out) noexcept;

} // namespace alloclab
