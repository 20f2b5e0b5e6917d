// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace alloclab {

// The size of a small page on every machine the lab supports (x86-64 Linux).
inline constexpr std::size_t page_bytes = 4096;

inline namespace literals {
constexpr std::size_t operator""_KiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 10;
}
constexpr std::size_t operator""_MiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 20;
}
constexpr std::size_t operator""_GiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 30;
}
} // namespace literals

} // namespace alloclab
