// SPDX-License-Identifier: MIT
#include <alloclab/record/live_blocks.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace alloclab::record {
namespace {

void* at(std::uintptr_t address) {
    return reinterpret_cast<void*>(address);
}

class LiveBlocks : public ::testing::Test {
protected:
    void SetUp() override { forget_tracked(); }
    void TearDown() override { forget_tracked(); }
};

TEST_F(LiveBlocks, know_a_block_until_it_is_untracked) {
    EXPECT_FALSE(may_be_tracked(at(0x10000)));
    EXPECT_TRUE(track_block(at(0x10000), 70000));
    EXPECT_TRUE(may_be_tracked(at(0x10000)));
    EXPECT_EQ(untrack_block(at(0x20000)), 0u);
    EXPECT_EQ(untrack_block(at(0x10000)), 70000u);
    EXPECT_FALSE(may_be_tracked(at(0x10000)));
    EXPECT_EQ(untrack_block(at(0x10000)), 0u);
}

// The table deletes by moving entries; a map is the model.
TEST_F(LiveBlocks, agree_with_a_map_through_random_operations) {
    std::mt19937 random(11);
    std::map<std::uintptr_t, std::size_t> model;
    for (int round = 0; round < 200000; ++round) {
        const std::uintptr_t address = 0x100000 + 0x10010 * (random() % 4000);
        if (random() % 2 == 0) {
            ASSERT_TRUE(track_block(at(address), 65536 + address % 1000));
            model[address] = 65536 + address % 1000;
        } else {
            const auto known = model.find(address);
            ASSERT_EQ(untrack_block(at(address)), known == model.end() ? 0 : known->second);
            if (known != model.end())
                model.erase(known);
        }
    }
    std::size_t cursor = 0;
    std::size_t count = 0;
    for (Range range = next_tracked(cursor); range.size != 0; range = next_tracked(cursor)) {
        EXPECT_EQ(model.count(reinterpret_cast<std::uintptr_t>(range.p)), 1u);
        ++count;
    }
    EXPECT_EQ(count, model.size());
}

TEST_F(LiveBlocks, refuse_more_than_the_table_holds) {
    std::size_t tracked = 0;
    for (std::uintptr_t block_idx = 0; block_idx < 70000; ++block_idx)
        tracked += track_block(at(0x100000 + block_idx * 0x20000), 0x10000);
    EXPECT_EQ(tracked, 49152u); // three quarters of 65,536
}

TEST_F(LiveBlocks, cut_a_region_in_two) {
    track_region(at(0x100000), 0x10000);
    untrack_region(at(0x104000), 0x1000);
    const Range left = tracked_part(at(0), 0x1000000);
    EXPECT_EQ(left.p, at(0x100000));
    EXPECT_EQ(left.size, 0x4000u);
    const Range right = tracked_part(at(0x104000), 0x1000000);
    EXPECT_EQ(right.p, at(0x105000));
    EXPECT_EQ(right.size, 0xb000u);
    EXPECT_EQ(tracked_part(at(0x104000), 0x1000).size, 0u);
}

TEST_F(LiveBlocks, forget_regions_that_a_new_one_covers) {
    track_region(at(0x100000), 0x1000);
    track_region(at(0x102000), 0x1000);
    track_region(at(0x100000), 0x4000);
    const Range whole = tracked_part(at(0), 0x1000000);
    EXPECT_EQ(whole.size, 0x4000u);
    untrack_region(at(0x0), 0x1000000);
    EXPECT_EQ(tracked_part(at(0), 0x1000000).size, 0u);
}

TEST_F(LiveBlocks, give_only_the_part_of_a_region_within_the_range) {
    track_region(at(0x100000), 0x10000);
    const Range part = tracked_part(at(0x108000), 0x2000);
    EXPECT_EQ(part.p, at(0x108000));
    EXPECT_EQ(part.size, 0x2000u);
}

} // namespace
} // namespace alloclab::record
