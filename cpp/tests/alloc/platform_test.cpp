// SPDX-License-Identifier: MIT
#include <alloclab/alloc/platform.hpp>

#include <gtest/gtest.h>

#include <cstring>

// Under a sanitizer malloc aborts where it should return null, unless told.
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options() {
    return "allocator_may_return_null=1";
}
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_options() {
    return "allocator_may_return_null=1";
}

namespace alloclab {
namespace {

// Row S48: "about no overhead" is 8 to 16 bytes a block for the C library, and is measured.
TEST(Platform, knows_what_a_block_of_the_malloc_below_costs) {
    const std::size_t header_bytes = platform_header_bytes();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_EQ(header_bytes, 8U) << "glibc keeps one word before each block";
#endif
    Platform platform;
    void* const block = platform.allocate(1000, 16);
    const PlatformStats stats = platform.stats();
    EXPECT_GE(stats.block_live_bytes, 1000U);
    EXPECT_EQ(stats.reserved_bytes, stats.block_live_bytes + header_bytes);
    platform.deallocate(block, 1000, 16);
    EXPECT_EQ(platform.stats().reserved_bytes, 0U);
}

// Row S4, with the original's golden: 100 bytes and 50 zeroed ones, the first grown to 200.
TEST(Platform, counts_what_lives_through_a_resize_by_hand) {
    Platform platform;
    void* const first = platform.allocate(100, 16);
    auto* const second = static_cast<char*>(platform.allocate_zeroed(50, 16));
    EXPECT_EQ(second[0], 0);
    EXPECT_EQ(second[49], 0);
    void* const larger = platform.allocate(200, 16);
    std::memcpy(larger, first, 100);
    platform.deallocate(first, 100, 16);
    EXPECT_EQ(platform.stats().live_count, 2U);
    EXPECT_GE(platform.stats().block_live_bytes, 250U);
    platform.deallocate(larger, 200, 16);
    platform.deallocate(second, 50, 16);
    EXPECT_EQ(platform.stats().live_count, 0U);
    EXPECT_EQ(platform.stats().block_live_bytes, 0U);
}

TEST(Platform, resizes_only_within_what_the_block_has) {
    Platform platform;
    void* const block = platform.allocate(100, 16);
    EXPECT_TRUE(platform.resize(block, 100, platform.usable_size(block), 16));
    EXPECT_FALSE(platform.resize(block, 100, platform.usable_size(block) + 1, 16));
    platform.deallocate(block, 100, 16);
}

TEST(Platform, cannot_reset_and_does_not_know_what_it_owns) {
    EXPECT_FALSE(Resettable<Platform> || Owning<Platform>);
    EXPECT_TRUE(Reporting<Platform> && Measurable<Platform> && Zeroing<Platform>);
}

} // namespace
} // namespace alloclab
