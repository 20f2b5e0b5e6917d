// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace alloclab {

// True when `value` is a power of two; zero is not.
constexpr bool is_power_of_two(std::unsigned_integral auto value) {
    return std::has_single_bit(value);
}

// Rounds `value` up to a multiple of `alignment`.
// Requires: `alignment` is a power of two and the result fits.
constexpr std::size_t align_up(std::size_t value, std::size_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

// Rounds `value` down to a multiple of `alignment`, a power of two.
constexpr std::size_t align_down(std::size_t value, std::size_t alignment) {
    return value & ~(alignment - 1);
}

// Maps small magnitudes of either sign to small unsigned numbers: 0, -1, 1, -2 ... to 0, 1, 2, 3
// ...
constexpr std::uint64_t zigzag_encode(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

constexpr std::int64_t zigzag_decode(std::uint64_t code) {
    return static_cast<std::int64_t>((code >> 1) ^ (~(code & 1) + 1));
}

} // namespace alloclab
