// SPDX-License-Identifier: MIT
#include <alloclab/base/bits.hpp>
#include <alloclab/base/varint.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace alloclab {

namespace {

constexpr std::uint64_t samples[] = {0,
                                     1,
                                     127,
                                     128,
                                     16383,
                                     16384,
                                     (1u << 21) - 1,
                                     1u << 21,
                                     (1u << 28) - 1,
                                     1u << 28,
                                     std::uint64_t{1} << 63,
                                     std::numeric_limits<std::uint64_t>::max()};

} // namespace

TEST(Varint, what_is_written_is_read_both_ways) {
    for (const std::uint64_t value : samples) {
        std::uint8_t bytes[max_varint_bytes + 8] = {};
        const std::uint8_t* const end = write_varint(bytes, value);
        for (const auto read : {read_varint, read_padded_varint}) {
            const std::uint8_t* cursor = bytes;
            std::uint64_t got = 0;
            ASSERT_TRUE(read(cursor, end, got)) << value;
            EXPECT_EQ(got, value);
            EXPECT_EQ(cursor, end);
        }
    }
}

TEST(Varint, a_number_that_ends_too_early_is_refused) {
    for (const std::uint64_t value : samples) {
        std::uint8_t bytes[max_varint_bytes + 8] = {};
        const std::uint8_t* const end = write_varint(bytes, value);
        const std::uint8_t* cursor = bytes;
        std::uint64_t got = 0;
        EXPECT_FALSE(read_varint(cursor, end - 1, got)) << value;
        EXPECT_EQ(cursor, bytes);
        cursor = bytes;
        EXPECT_FALSE(read_padded_varint(cursor, end - 1, got)) << value;
    }
}

TEST(Varint, a_number_beyond_64_bits_is_refused) {
    std::uint8_t bytes[16];
    std::fill_n(bytes, 9, std::uint8_t{0xff});
    bytes[9] = 2; // bit 64
    const std::uint8_t* cursor = bytes;
    std::uint64_t got = 0;
    EXPECT_FALSE(read_varint(cursor, bytes + 10, got));
}

TEST(Zigzag, small_magnitudes_of_either_sign_stay_small) {
    EXPECT_EQ(zigzag_encode(0), 0u);
    EXPECT_EQ(zigzag_encode(-1), 1u);
    EXPECT_EQ(zigzag_encode(1), 2u);
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-7}, std::int64_t{1} << 62,
                                     std::numeric_limits<std::int64_t>::min()}) {
        EXPECT_EQ(zigzag_decode(zigzag_encode(value)), value);
    }
}

} // namespace alloclab
