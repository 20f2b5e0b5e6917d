// SPDX-License-Identifier: MIT
#pragma once

// Prefix varints: the count of trailing zero bits of the first byte is the count of further bytes,
// as in SQLite4 and many others, little-endian here so that one load and two shifts decode it and
// one store writes it. Nine bytes (a zero byte, then eight) hold any 64-bit value.

#include <bit>
#include <cstddef>
#include <cstdint>

namespace alloclab::capture {

// Up to eight bytes ready to be stored at once.
struct Word {
    std::uint64_t bits;
    unsigned bytes;
};

// The bytes that `value_bits` bits need at seven bits a byte. Requires: 1 <= value_bits <= 64.
constexpr unsigned varint_bytes(unsigned value_bits) {
    return ((value_bits + 6) * 37) >> 8;
}

// At least one. Written so that it is one instruction (bsr) and an addition.
constexpr unsigned bit_length(std::uint64_t value) {
    return (static_cast<unsigned>(std::countl_zero(value | 1)) ^ 63U) + 1;
}

inline constexpr std::uint64_t varint_word_max = (std::uint64_t{1} << 56) - 1;
// The largest delta that fits beside a code byte, and the largest of a free.
inline constexpr std::uint64_t short_delta_max = (std::uint64_t{1} << 48) - 1;

// Requires: value <= varint_word_max.
constexpr Word varint_word(std::uint64_t value) {
    const unsigned bytes = varint_bytes(bit_length(value));
    return {((value << 1) | 1) << (bytes - 1), bytes};
}

// A free of a granule at `delta` (zigzag): a varint with the lowest bit taken, set.
// Requires: delta <= short_delta_max.
constexpr Word free_word(std::uint64_t delta) {
    const unsigned bytes = varint_bytes(bit_length(delta) + 1);
    return {(((delta << 1) | 1) << bytes) | 1, bytes};
}

// Writes any value to `out`, which has room for nine bytes. Returns the bytes written.
inline unsigned put_varint(unsigned char* out, std::uint64_t value) {
    std::uint64_t bits = value;
    unsigned bytes = 8;
    unsigned char* at = out;
    if (value <= varint_word_max) {
        const Word word = varint_word(value);
        bits = word.bits;
        bytes = word.bytes;
    } else {
        *at++ = 0;
    }
    for (unsigned byte_idx = 0; byte_idx < bytes; ++byte_idx)
        *at++ = static_cast<unsigned char>(bits >> (8 * byte_idx));
    return static_cast<unsigned>(at - out);
}

} // namespace alloclab::capture
