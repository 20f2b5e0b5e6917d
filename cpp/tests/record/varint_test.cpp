// SPDX-License-Identifier: MIT
#include <alloclab/record/varint.hpp>

#include <gtest/gtest.h>

namespace alloclab::capture {
namespace {

TEST(prefix_varint, takes_a_byte_for_each_seven_bits) {
    EXPECT_EQ(varint_word(0).bytes, 1u);
    EXPECT_EQ(varint_word(127).bytes, 1u);
    for (unsigned bits = 1; bits <= 56; ++bits) {
        const std::uint64_t largest = ~std::uint64_t{0} >> (64 - bits);
        EXPECT_EQ(varint_word(largest).bytes, (bits + 6) / 7) << bits;
    }
}

TEST(prefix_varint, counts_its_further_bytes_in_trailing_zeros) {
    for (const std::uint64_t value :
         {0ull, 1ull, 127ull, 128ull, 1ull << 40, varint_word_max + 0ull}) {
        const Word word = varint_word(value);
        EXPECT_EQ(static_cast<unsigned>(std::countr_zero(word.bits)) + 1, word.bytes);
        EXPECT_EQ(word.bits >> word.bytes, value);
    }
}

TEST(prefix_varint, takes_nine_bytes_beyond_56_bits) {
    unsigned char bytes[9];
    EXPECT_EQ(put_varint(bytes, varint_word_max), 8u);
    EXPECT_EQ(put_varint(bytes, varint_word_max + 1), 9u);
    EXPECT_EQ(bytes[0], 0);
    EXPECT_EQ(put_varint(bytes, ~std::uint64_t{0}), 9u);
    EXPECT_EQ(bytes[8], 255);
}

TEST(free_word, is_odd_and_never_longer_than_eight_bytes) {
    for (const std::uint64_t delta : {0ull, 1ull, 63ull, 64ull, short_delta_max + 0ull}) {
        const Word word = free_word(delta);
        EXPECT_EQ(word.bits & 1, 1u);
        EXPECT_LE(word.bytes, 8u);
        EXPECT_EQ(word.bits >> (word.bytes + 1), delta);
    }
    EXPECT_EQ(free_word(63).bytes, 1u); // six bits fit in the first byte
    EXPECT_EQ(free_word(64).bytes, 2u);
}

} // namespace
} // namespace alloclab::capture
