// SPDX-License-Identifier: MIT
// The laws of growing tables, worked out by hand: rows R5, R6, R57, Q10.
#include <alloclab/base/error.hpp>
#include <alloclab/measure/growth.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace alloclab {
namespace {

GrowthSetup tables(std::size_t table_count, std::size_t item_count, double growth) {
    GrowthSetup setup;
    setup.item_bytes = 16;
    setup.item_count = item_count;
    setup.table_count = table_count;
    setup.first_count = 16;
    setup.growth = growth;
    return setup;
}

TEST(Growth, every_strategy_keeps_every_item) {
    for (const std::string_view strategy : growth_strategies()) {
        GrowthSetup setup = tables(3, 1000, 2.0);
        setup.threshold_bytes = 4096;
        const GrowthResult result = measure_growth(strategy, setup);
        EXPECT_EQ(result.payload_bytes, 3 * 1000 * 16U) << strategy;
        EXPECT_GE(result.capacity_bytes, result.payload_bytes) << strategy;
    }
}

// Row R5: (C - c0) / (g - 1). By hand for g = 2: 16 + 32 + ... + 512 items before 1024 is
// (1024 - 16) items.
TEST(Growth, an_arena_abandons_what_the_law_says) {
    const GrowthResult result = measure_growth("realloc_arena", tables(2, 1024, 2.0));
    EXPECT_EQ(result.capacity_bytes, 2 * 1024 * 16U);
    EXPECT_EQ(result.used_bytes - result.capacity_bytes, 2 * (1024 - 16) * 16U);
    EXPECT_EQ(result.copied_bytes, 2 * (1024 - 16) * 16U);
    EXPECT_EQ(result.allocation_count, 2 * 7U);
}

TEST(Growth, a_table_that_stays_the_newest_block_abandons_nothing) {
    GrowthSetup setup = tables(1, 4096, 2.0);
    setup.arena.initial_bytes = 1 << 20;
    const GrowthResult result = measure_growth("realloc_arena", setup);
    EXPECT_EQ(result.used_bytes, result.capacity_bytes);
    EXPECT_EQ(result.moved_count, 0U);
}

// Row R57: one item longer each time. 1 + 2 + ... + n items are allocated, 1 + ... + (n - 1)
// copied, and under an arena abandoned.
TEST(Growth, one_longer_each_time_is_quadratic) {
    const GrowthResult result = measure_growth("realloc_arena", tables(2, 100, 0));
    EXPECT_EQ(result.allocated_bytes, 2 * (100 * 101 / 2) * 16U);
    EXPECT_EQ(result.copied_bytes, 2 * (99 * 100 / 2) * 16U);
    EXPECT_EQ(result.used_bytes - result.capacity_bytes, 2 * (99 * 100 / 2) * 16U);
}

// Row R6: the three remedies.
TEST(Growth, chunked_presized_and_sealed_tables_abandon_nothing) {
    const GrowthResult chunked = measure_growth("chunked", tables(2, 1008, 2.0));
    EXPECT_EQ(chunked.used_bytes, 2 * 1008 * 16U) << "16 + 32 + ... + 512 items are 1008";
    EXPECT_EQ(chunked.copied_bytes, 0U);
    const GrowthResult presized = measure_growth("presized", tables(2, 1000, 2.0));
    EXPECT_EQ(presized.used_bytes, presized.payload_bytes);
    EXPECT_EQ(presized.allocation_count, 2U);
    const GrowthResult sealed = measure_growth("build_then_seal", tables(2, 1000, 2.0));
    EXPECT_EQ(sealed.used_bytes, sealed.payload_bytes);
    EXPECT_GE(sealed.copied_bytes, sealed.payload_bytes);
}

// Rows Q10, Q11: the arrays left behind at the threshold stay with the heap; pages from the start
// leave nothing.
TEST(Growth, moving_to_pages_half_way_leaves_the_old_arrays_with_the_heap) {
    GrowthSetup setup = tables(50, 65536, 2.0); // 1 MiB each
    setup.threshold_bytes = 512 << 10;
    const GrowthResult switched = measure_growth("mapped_above", setup);
    setup.threshold_bytes = 0;
    const GrowthResult from_the_start = measure_growth("mapped_above", setup);
    EXPECT_EQ(from_the_start.mapped_bytes, 50 * (std::size_t{1} << 20));
    EXPECT_EQ(from_the_start.copied_bytes, 0U);
    EXPECT_GT(switched.peak_mapped_bytes, from_the_start.peak_mapped_bytes);
}

TEST(Growth, refuses_what_makes_no_sense) {
    EXPECT_THROW(measure_growth("magic", tables(1, 1, 2.0)), Error);
    EXPECT_THROW(measure_growth("chunked", tables(0, 1, 2.0)), Error);
    EXPECT_THROW(measure_growth("chunked", tables(1, 0, 2.0)), Error);
    EXPECT_THROW(measure_growth("chunked", tables(1, SIZE_MAX, 2.0)), Error);
    EXPECT_THROW(measure_growth("realloc_arena", tables(1, 10, 1.0)), Error);
    EXPECT_THROW(measure_growth("realloc_arena", tables(1, 10, std::nan(""))), Error);
}

} // namespace
} // namespace alloclab
