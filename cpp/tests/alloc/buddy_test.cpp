// SPDX-License-Identifier: MIT
#include <alloclab/alloc/buddy.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using Ref = SourceRef<Counting>;

constexpr BuddyOptions one_megabyte{.min_block_bytes = 64, .region_bytes = 1_MiB};

TEST(Buddy, gives_powers_of_two_aligned_to_themselves) {
    Buddy<> buddy(one_megabyte);
    for (const auto& [size, expected] : {std::pair<std::size_t, std::size_t>{0, 64},
                                         {1, 64},
                                         {64, 64},
                                         {65, 128},
                                         {5000, 8192},
                                         {1_MiB, 1_MiB}}) {
        void* const block = buddy.allocate(size, 16);
        EXPECT_EQ(buddy.usable_size(block), expected) << size;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % expected, 0U) << size;
    }
    EXPECT_EQ(buddy.allocate(1_MiB + 1, 16), nullptr);
    EXPECT_EQ(buddy.allocate(1, 2_MiB), nullptr);
    EXPECT_TRUE(buddy.check_invariants());
}

TEST(Buddy, a_region_is_cut_down_to_its_last_byte) {
    Counting source;
    Buddy<Ref> buddy(one_megabyte, Ref(source));
    for (std::size_t block_idx = 0; block_idx < 1_MiB / 64; ++block_idx) {
        ASSERT_NE(buddy.allocate(64, 16), nullptr);
    }
    EXPECT_EQ(source.map_count(), 1U);
    EXPECT_EQ(buddy.stats().free_bytes, 0U);
    EXPECT_EQ(buddy.stats().largest_free_bytes, 0U);
    buddy.allocate(64, 16);
    EXPECT_EQ(buddy.stats().region_count, 2U);
}

TEST(Buddy, halves_join_as_soon_as_both_are_free) {
    Buddy<> buddy(one_megabyte);
    void* const first = buddy.allocate(256_KiB, 16);
    void* const second = buddy.allocate(256_KiB, 16);
    void* const third = buddy.allocate(256_KiB, 16);
    EXPECT_EQ(buddy.stats().largest_free_bytes, 256_KiB);
    buddy.deallocate(second, 256_KiB, 16);
    EXPECT_EQ(buddy.stats().largest_free_bytes, 256_KiB) << "free beside it is no buddy of it";
    buddy.deallocate(first, 256_KiB, 16);
    EXPECT_EQ(buddy.stats().largest_free_bytes, 512_KiB);
    buddy.deallocate(third); // told no size
    EXPECT_EQ(buddy.stats().largest_free_bytes, 1_MiB);
    EXPECT_TRUE(buddy.check_invariants());
}

TEST(Buddy, grows_over_its_free_upper_halves_and_gives_them_back) {
    Buddy<> buddy(one_megabyte);
    void* const block = buddy.allocate(100, 16); // 128 at the region's start
    EXPECT_TRUE(buddy.resize(block, 100, 60000, 16));
    EXPECT_EQ(buddy.usable_size(block), 65536U);
    EXPECT_TRUE(buddy.check_invariants());
    EXPECT_TRUE(buddy.resize(block, 60000, 64, 16));
    EXPECT_EQ(buddy.usable_size(block), 64U);
    void* const upper = buddy.allocate(64, 16);
    EXPECT_FALSE(buddy.resize(block, 64, 65, 16)) << "the upper half is alive";
    EXPECT_FALSE(buddy.resize(upper, 64, 65, 16)) << "an upper half cannot grow upwards";
    EXPECT_FALSE(buddy.resize(block, 64, 2_MiB, 16));
    EXPECT_TRUE(buddy.check_invariants());
}

TEST(Buddy, what_it_holds_adds_up_through_a_random_life) {
    Counting source;
    Buddy<Ref> buddy(one_megabyte, Ref(source));
    struct Live {
        void* block;
        std::size_t size;
    };
    std::vector<Live> live;
    Rng rng(9);
    for (int step = 0; step < 20000; ++step) {
        const std::size_t size = rng.below(std::uint64_t{1} << rng.below(18));
        if (live.size() < 30 || rng.below(5) < 2) {
            live.push_back({buddy.allocate(size, 16), size});
        } else {
            std::swap(live.back(), live[rng.below(live.size())]);
            if (buddy.resize(live.back().block, live.back().size, size, 16)) {
                live.back().size = size;
            } else {
                buddy.deallocate(live.back().block, live.back().size, 16);
                live.pop_back();
            }
        }
        if (step % 200 == 0) {
            const BuddyStats stats = buddy.stats();
            ASSERT_EQ(stats.block_live_bytes + stats.free_bytes + stats.bitmap_bytes,
                      stats.reserved_bytes);
            ASSERT_TRUE(buddy.check_invariants()) << step;
        }
    }
    for (const Live& one : live) {
        buddy.deallocate(one.block, one.size, 16);
    }
    EXPECT_EQ(buddy.stats().block_live_bytes, 0U);
    EXPECT_EQ(buddy.stats().region_count, 1U) << "empty regions go back, the last one stays";
    EXPECT_EQ(source.mapped_bytes(), buddy.geometry().mapped_bytes());
}

TEST(Buddy, bits_take_less_than_a_hundredth_of_a_region) {
    const BuddyGeometry geometry{BuddyOptions{.min_block_bytes = 64}};
    EXPECT_EQ(geometry.region_bytes(), 64_MiB);
    // A split bit for each inner node and a free bit for each of twice as many: 3 bits in 512.
    EXPECT_EQ(geometry.bitmap_bytes, 64_MiB / 64 * 3 / 8 + page_bytes);
}

TEST(BuddyOptions, take_what_they_understand_and_nothing_else) {
    BuddyOptions options;
    EXPECT_TRUE(options.set("min_block_bytes", "16"));
    EXPECT_TRUE(options.set("region_bytes", "2 MiB"));
    EXPECT_FALSE(options.set("min_block_bytes", "24"));
    EXPECT_FALSE(options.set("min_block_bytes", "8"));
    EXPECT_FALSE(options.set("region_bytes", "1 TiB"));
    EXPECT_FALSE(options.set("order", "3"));
    EXPECT_EQ(options.min_block_bytes, 16U);
    EXPECT_EQ(options.region_bytes, 2_MiB);
}

} // namespace
} // namespace alloclab
