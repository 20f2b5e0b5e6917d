// SPDX-License-Identifier: MIT
#pragma once

// Paths and lines, put together without the C library's streams, which allocate.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab::record {

// Each writes what it is given and a null behind it, and returns where that stands.
// Requires: there is room.
inline char* put_text(char* out, const char* text) {
    const std::size_t length = std::strlen(text);
    std::memcpy(out, text, length + 1);
    return out + length;
}

inline char* put_number(char* out, std::uint64_t number) {
    char digits[20];
    std::size_t count = 0;
    do {
        digits[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        *out++ = digits[--count];
    *out = '\0';
    return out;
}

} // namespace alloclab::record
