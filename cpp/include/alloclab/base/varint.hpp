// SPDX-License-Identifier: MIT
//
// Unsigned LEB128: seven bits a byte, low bits first, the top bit set on all bytes but the last
// (DWARF 5, section 7.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab {

inline constexpr std::size_t max_varint_bytes = 10;

// Writes `value` at `out` and returns one past its last byte.
// Requires: max_varint_bytes of room.
inline std::uint8_t* write_varint(std::uint8_t* out, std::uint64_t value) {
    while (value >= 0x80) {
        *out++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<std::uint8_t>(value);
    return out;
}

// Reads one value from [cursor, end) and moves the cursor past it.
// Returns false, the cursor unmoved, when the bytes end first or the value exceeds 64 bits.
inline bool read_varint(const std::uint8_t*& cursor, const std::uint8_t* end,
                        std::uint64_t& value) {
    std::uint64_t result = 0;
    const std::uint8_t* at = cursor;
    for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
        const std::uint8_t byte = *at++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        result |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) {
            cursor = at;
            value = result;
            return true;
        }
    }
    return false;
}

// The same for a stream known to be followed by eight readable bytes; short values, the common
// case, are read without a branch on their length.
inline bool read_padded_varint(const std::uint8_t*& cursor, const std::uint8_t* end,
                               std::uint64_t& value) {
    std::uint32_t word = 0;
    std::memcpy(&word, cursor, sizeof word);
    const std::uint32_t stops = ~word & 0x80808080u;
    if (stops == 0) [[unlikely]] {
        return read_varint(cursor, end, value);
    }
    const unsigned bits = static_cast<unsigned>(__builtin_ctz(stops)) + 1; // 8, 16, 24 or 32
    word &= 0xffffffffu >> (32 - bits);
    value = (word & 0x7fu) | ((word & 0x7f00u) >> 1) | ((word & 0x7f0000u) >> 2) |
            ((word & 0x7f000000u) >> 3);
    cursor += bits >> 3;
    return cursor <= end;
}

} // namespace alloclab
