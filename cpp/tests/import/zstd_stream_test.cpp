// SPDX-License-Identifier: MIT
#include <alloclab/import/zstd_stream.hpp>

#include <alloclab/base/error.hpp>

#include <zstd.h>

#include <gtest/gtest.h>

namespace alloclab::test {

namespace {

std::vector<std::uint8_t> compress(const std::vector<std::uint8_t>& raw) {
    std::vector<std::uint8_t> packed(ZSTD_compressBound(raw.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1));
    return packed;
}

// Everything a stream gives for the bytes, put in two pieces.
std::vector<std::uint8_t> decompress(ZstdStream& stream, std::span<const std::uint8_t> bytes,
                                     std::size_t cut) {
    std::vector<std::uint8_t> raw;
    for (const auto piece : {bytes.first(cut), bytes.subspan(cut)}) {
        stream.put(piece);
        for (auto out = stream.take(); !out.empty(); out = stream.take()) {
            raw.insert(raw.end(), out.begin(), out.end());
        }
    }
    return raw;
}

TEST(ZstdStreamTest, what_was_compressed_comes_back_wherever_it_is_cut) {
    const std::vector<std::uint8_t> raw{1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5};
    const auto packed = compress(raw);
    for (std::size_t cut = 0; cut <= packed.size(); ++cut) {
        ZstdStream stream;
        EXPECT_EQ(decompress(stream, packed, cut), raw);
        EXPECT_TRUE(stream.is_at_frame_end());
    }
}

TEST(ZstdStreamTest, pieces_are_bounded_however_much_a_frame_unpacks_to) {
    const auto packed = compress(std::vector<std::uint8_t>(std::size_t{5} << 20, 7));
    ZstdStream stream;
    stream.put(packed);
    std::size_t total = 0;
    for (auto out = stream.take(); !out.empty(); out = stream.take()) {
        EXPECT_LE(out.size(), std::size_t{1} << 20);
        total += out.size();
    }
    EXPECT_EQ(total, std::size_t{5} << 20);
}

TEST(ZstdStreamTest, frames_one_after_another_are_one_content) {
    auto packed = compress({1, 2});
    const auto more = compress({3});
    packed.insert(packed.end(), more.begin(), more.end());
    ZstdStream stream;
    EXPECT_EQ(decompress(stream, packed, 5), (std::vector<std::uint8_t>{1, 2, 3}));
}

TEST(ZstdStreamTest, a_frame_that_breaks_off_is_not_at_its_end) {
    const auto packed = compress({1, 2, 3});
    ZstdStream stream;
    decompress(stream, std::span(packed).first(packed.size() - 1), 2);
    EXPECT_FALSE(stream.is_at_frame_end());
}

TEST(ZstdStreamTest, damage_is_an_error_that_names_the_offset) {
    const std::vector<std::uint8_t> noise{1, 2, 3, 4, 5, 6, 7, 8};
    ZstdStream stream;
    stream.put(noise);
    try {
        stream.take();
        FAIL();
    } catch (const TraceError& error) {
        EXPECT_TRUE(std::string(error.what()).starts_with("offset 0 of the compressed file: "));
    }
}

} // namespace

} // namespace alloclab::test
