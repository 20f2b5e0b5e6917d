// SPDX-License-Identifier: MIT
#include <alloclab/replay/slot_map.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace alloclab {

TEST(SlotMap, the_slot_freed_last_is_used_first) {
    SlotMap map;
    EXPECT_EQ(map.insert(0), 0u);
    EXPECT_EQ(map.insert(1), 1u);
    EXPECT_EQ(map.take(0), 0u);
    EXPECT_EQ(map.insert(2), 0u);
    EXPECT_EQ(map.find(2), 0u);
    EXPECT_EQ(map.find(0), SlotMap::none);
}

TEST(SlotMap, an_object_that_is_not_alive_has_no_slot) {
    SlotMap map;
    EXPECT_EQ(map.find(123456789), SlotMap::none);
    EXPECT_EQ(map.take(123456789), SlotMap::none);
    map.insert(5);
    EXPECT_EQ(map.find(4), SlotMap::none);
}

TEST(SlotMap, agrees_with_a_map_and_never_shares_a_slot) {
    SlotMap map;
    std::map<std::uint64_t, std::uint32_t> model;
    std::set<std::uint32_t> used;
    std::mt19937_64 random(3);
    for (std::uint64_t id = 0; id < 50'000; ++id) {
        const std::uint32_t slot = map.insert(id);
        ASSERT_TRUE(used.insert(slot).second);
        model[id] = slot;
        while (model.size() > 1500 || (random() % 2 == 0 && !model.empty())) {
            const auto victim =
                std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size() / 8));
            ASSERT_EQ(map.take(victim->first), victim->second);
            used.erase(victim->second);
            model.erase(victim);
        }
    }
    EXPECT_LE(map.slots(), 1501u);
}

} // namespace alloclab
