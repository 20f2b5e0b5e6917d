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

// The same for a stream known to be followed by eight readable bytes; one and two bytes, the common
// cases, are read without a branch between them.
inline bool read_padded_varint(const std::uint8_t*& cursor, const std::uint8_t* end,
                               std::uint64_t& value) {
    std::uint16_t word = 0;
    std::memcpy(&word, cursor, sizeof word);
    if ((word & 0x8080u) == 0x8080u) [[unlikely]] {
        return read_varint(cursor, end, value);
    }
    const std::uint32_t low = word & 0x7fu;
    const std::uint32_t both = low | ((word & 0x7f00u) >> 1);
    const bool is_short = (word & 0x80u) == 0;
    value = is_short ? low : both;
    cursor += 2 - static_cast<unsigned>(is_short);
    return cursor <= end;
}

} // namespace alloclab
