// SPDX-License-Identifier: MIT
#include <alloclab/alloc/double_ended.hpp>
#include <alloclab/alloc/frame_arena.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

// Row W4: the frame arena of a game; what the last frame made can still be read.
TEST(FrameArena, blocks_live_one_frame_longer) {
    FrameArena<> frames;
    auto* const old = static_cast<int*>(frames.allocate(sizeof(int), 16));
    *old = 41;
    frames.end_frame();
    auto* const next = static_cast<int*>(frames.allocate(sizeof(int), 16));
    *next = *old + 1;
    EXPECT_TRUE(frames.owns(old));
    frames.end_frame();
    EXPECT_FALSE(frames.owns(old));
    EXPECT_EQ(*next, 42);
    EXPECT_EQ(frames.frame_count(), 2U);
}

TEST(FrameArena, equal_frames_map_nothing_more) {
    using Counting = CountingSource<OsPageSource>;
    Counting source;
    FrameArena<SourceRef<Counting>> frames(ArenaOptions{}, SourceRef(source));
    std::size_t map_count = 0;
    for (int frame = 0; frame < 20; ++frame) {
        for (int block_idx = 0; block_idx < 500; ++block_idx) {
            ASSERT_NE(frames.allocate(1000, 16), nullptr);
        }
        frames.end_frame();
        map_count = frame == 1 ? source.map_count() : map_count;
    }
    EXPECT_EQ(source.map_count(), map_count);
    EXPECT_EQ(frames.last_stats().used_bytes, 500 * 1008U);
    EXPECT_EQ(frames.current_stats().used_bytes, 0U);
}

TEST(FrameArena, a_block_of_the_last_frame_is_not_taken_back) {
    FrameArena<> frames;
    void* const old = frames.allocate(64, 16);
    frames.end_frame();
    frames.deallocate(old, 64, 16);
    EXPECT_EQ(frames.last_stats().used_bytes, 64U);
}

TEST(DoubleEnded, the_ends_grow_towards_each_other_and_meet) {
    DoubleEndedOptions options;
    ASSERT_TRUE(options.set("region_bytes", "64 KiB"));
    DoubleEnded<> region(options);
    auto* const low = static_cast<std::byte*>(region.allocate(30000, 16));
    auto* const high = static_cast<std::byte*>(region.allocate_high(30000, 16));
    EXPECT_LT(low, high);
    EXPECT_EQ(region.allocate(10000, 16), nullptr) << "only 5536 bytes are left between them";
    EXPECT_EQ(region.allocate_high(10000, 16), nullptr);
    EXPECT_NE(region.allocate_high(5000, 16), nullptr);
    EXPECT_EQ(region.stats().low_bytes, 30000U);
    EXPECT_GE(region.stats().high_bytes, 35000U);
    EXPECT_LE(region.stats().committed_bytes, region.stats().reserved_bytes);
}

TEST(DoubleEnded, each_end_has_marks_of_its_own) {
    DoubleEnded<> region;
    const auto empty = region.mark();
    const auto empty_high = region.mark_high();
    void* const low = region.allocate(100, 16);
    const auto low_mark = region.mark();
    void* const high = region.allocate_high(100, 16);
    region.allocate(100, 16);
    EXPECT_TRUE(region.rewind(low_mark));
    EXPECT_EQ(region.stats().low_bytes, 100U);
    EXPECT_EQ(region.stats().high_bytes, 112U) << "down to the alignment";
    EXPECT_TRUE(region.rewind_high(empty_high));
    EXPECT_EQ(region.allocate_high(100, 16), high);
    EXPECT_TRUE(region.rewind(empty));
    EXPECT_EQ(region.allocate(100, 16), low);
    EXPECT_FALSE(region.rewind({reinterpret_cast<std::uintptr_t>(high)}));
    EXPECT_FALSE(region.rewind_high({reinterpret_cast<std::uintptr_t>(low)}));
}

TEST(DoubleEnded, aligns_at_both_ends) {
    DoubleEnded<> region;
    for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        const auto low = reinterpret_cast<std::uintptr_t>(region.allocate(1, alignment));
        const auto high = reinterpret_cast<std::uintptr_t>(region.allocate_high(1, alignment));
        EXPECT_EQ(low % alignment, 0U);
        EXPECT_EQ(high % alignment, 0U);
    }
    EXPECT_EQ(region.allocate_high(SIZE_MAX, 16), nullptr);
    EXPECT_EQ(region.allocate_high(8, std::size_t{1} << 63), nullptr);
}

TEST(DoubleEndedOptions, refuse_what_they_do_not_know) {
    DoubleEndedOptions options;
    EXPECT_FALSE(options.set("region_bytes", "0"));
    EXPECT_FALSE(options.set("region_bytes", "2048 GiB"));
    EXPECT_FALSE(options.set("bytes", "65536"));
    EXPECT_EQ(options.region_bytes, std::size_t{1} << 30);
}

} // namespace
} // namespace alloclab
