// SPDX-License-Identifier: MIT
#include <alloclab/record/number_table.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>

namespace alloclab::record {
namespace {

TEST(NumberTable, finds_nothing_while_empty) {
    const NumberTable table;
    EXPECT_EQ(table.find(1, 0), 0u);
}

TEST(NumberTable, agrees_with_a_map_while_it_grows) {
    std::mt19937_64 random(5);
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> model;
    NumberTable table;
    for (std::uint32_t number = 1; number <= 50'000; ++number) {
        const std::uint64_t key = 0x5500'0000'0000 + random() % 5000;
        const auto second = static_cast<std::uint32_t>(random() % 50);
        const auto known = model.find({key, second});
        ASSERT_EQ(table.find(key, second), known == model.end() ? 0 : known->second);
        if (known == model.end()) {
            ASSERT_TRUE(table.insert(key, second, number));
            model[{key, second}] = number;
        }
    }
    EXPECT_EQ(table.count(), model.size());
    table.release();
}

TEST(NumberTable, forgets_all_when_cleared) {
    NumberTable table;
    ASSERT_TRUE(table.insert(7, 1, 2));
    table.clear();
    EXPECT_EQ(table.find(7, 1), 0u);
    EXPECT_EQ(table.count(), 0u);
    table.release();
}

} // namespace
} // namespace alloclab::record
