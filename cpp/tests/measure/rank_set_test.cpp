// SPDX-License-Identifier: MIT
#include <alloclab/measure/rank_set.hpp>

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <set>

namespace alloclab {

TEST(RankSet, an_empty_set_has_no_member_and_no_neighbours) {
    const RankSet set(0);
    EXPECT_EQ(set.first(), RankSet::none);
    EXPECT_EQ(set.last(), RankSet::none);
}

TEST(RankSet, neighbours_are_strictly_below_and_above) {
    RankSet set(300'000);
    set.insert(0);
    set.insert(63);
    set.insert(64);
    set.insert(299'999);
    EXPECT_EQ(set.below(64), 63u);
    EXPECT_EQ(set.above(64), 299'999u);
    EXPECT_EQ(set.below(0), RankSet::none);
    EXPECT_EQ(set.above(299'999), RankSet::none);
    EXPECT_EQ(set.above(1), 63u);
    EXPECT_EQ(set.below(200'000), 64u);
}

TEST(RankSet, agrees_with_an_ordered_set) {
    constexpr std::uint32_t bound = 5000;
    std::mt19937 random(7);
    RankSet set(bound);
    std::set<std::uint32_t> model;
    for (int step = 0; step < 50'000; ++step) {
        const auto rank = static_cast<std::uint32_t>(random() % bound);
        if (random() % 100 < 48) {
            set.insert(rank);
            model.insert(rank);
        } else {
            set.erase(rank);
            model.erase(rank);
        }
        const auto probe = static_cast<std::uint32_t>(random() % bound);
        const auto at = model.lower_bound(probe);
        const auto above = model.upper_bound(probe);
        ASSERT_EQ(set.contains(probe), model.contains(probe));
        ASSERT_EQ(set.below(probe), at == model.begin() ? RankSet::none : *std::prev(at));
        ASSERT_EQ(set.above(probe), above == model.end() ? RankSet::none : *above);
        ASSERT_EQ(set.first(), model.empty() ? RankSet::none : *model.begin());
        ASSERT_EQ(set.last(), model.empty() ? RankSet::none : *model.rbegin());
    }
}

} // namespace alloclab
