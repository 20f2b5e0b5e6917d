// SPDX-License-Identifier: MIT
// Every count is worked out by hand; the arithmetic stands beside it.
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/stats.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace alloclab {
namespace {

std::map<std::string, std::uint64_t> figures_of(const auto& allocator) {
    std::map<std::string, std::uint64_t> figures;
    allocator.visit_stats({[](void* context, const char* name, std::uint64_t value) {
                               (*static_cast<decltype(figures)*>(context))[name] += value;
                           },
                           &figures});
    return figures;
}

TEST(stats, counts_allocations_and_frees) {
    Stats<Freelist<>> allocator; // blocks of 64
    void* const first = allocator.allocate(10, 16);
    void* const second = allocator.allocate(64, 64);
    EXPECT_EQ(allocator.allocate(65, 16), nullptr);
    EXPECT_EQ(allocator.allocate(8, 4096), nullptr);
    allocator.deallocate(first, 10, 16);
    allocator.deallocate(nullptr, 5, 16);
    const StatsCounts counts = allocator.stats();
    EXPECT_EQ(counts.allocate_ops, 4U);
    EXPECT_EQ(counts.allocate_ok_ops, 2U);
    EXPECT_EQ(counts.aligned_allocate_ops, 2U);    // 64 and 4096 are above 16
    EXPECT_EQ(counts.aligned_allocate_ok_ops, 1U); // 64
    EXPECT_EQ(counts.deallocate_ops, 1U);          // null is none
    EXPECT_EQ(counts.allocated_bytes, 74U);        // 10 + 64
    EXPECT_EQ(counts.deallocated_bytes, 10U);
    EXPECT_EQ(counts.used_bytes, 64U);      // 74 - 10
    EXPECT_EQ(counts.high_tide_bytes, 74U); // before the free
    EXPECT_EQ(counts.slack_bytes, 0U);      // not asked for
    EXPECT_GT(counts.reserved_bytes, 0U);
    allocator.deallocate(second, 64, 64);
}

TEST(stats, counts_resizes_as_expansions_and_contractions) {
    Stats<Arena<>> allocator;
    void* const first = allocator.allocate(100, 16);
    EXPECT_TRUE(allocator.resize(first, 100, 160, 16)); // the newest: grows in place by 60
    EXPECT_TRUE(allocator.resize(first, 160, 40, 16));  // shrinks by 120
    void* const second = allocator.allocate(8, 16);
    EXPECT_FALSE(allocator.resize(first, 40, 5000, 16)); // the second stands behind it
    const StatsCounts counts = allocator.stats();
    EXPECT_EQ(counts.resize_ops, 3U);
    EXPECT_EQ(counts.resize_ok_ops, 2U);
    EXPECT_EQ(counts.expand_ops, 2U); // to 160, and to 5000
    EXPECT_EQ(counts.expand_ok_ops, 1U);
    EXPECT_EQ(counts.expanded_bytes, 60U);
    EXPECT_EQ(counts.contracted_bytes, 120U);
    EXPECT_EQ(counts.not_moved_bytes, 260U);   // 100 + 160
    EXPECT_EQ(counts.allocated_bytes, 168U);   // 100 + 60 + 8
    EXPECT_EQ(counts.deallocated_bytes, 120U); // the contraction
    EXPECT_EQ(counts.used_bytes, 48U);         // 168 - 120 = 40 + 8
    EXPECT_EQ(counts.high_tide_bytes, 160U);
    EXPECT_NE(second, nullptr);
}

TEST(stats, tells_reallocations_that_move_from_those_that_do_not) {
    Stats<Arena<>> allocator;
    void* block = allocator.allocate(100, 16);
    EXPECT_EQ(reallocate(allocator, block, 100, 150, 16), block); // the newest grows
    allocator.allocate(8, 16);
    void* const moved = reallocate(allocator, block, 150, 400, 16);
    EXPECT_NE(moved, block);
    EXPECT_EQ(reallocate(allocator, moved, 400, std::size_t{1} << 60, 16), nullptr);
    const StatsCounts counts = allocator.stats();
    EXPECT_EQ(counts.reallocate_ops, 3U);
    EXPECT_EQ(counts.reallocate_ok_ops, 2U);
    EXPECT_EQ(counts.reallocate_in_place_ops, 1U);
    EXPECT_EQ(counts.resize_ops, 0U) << "those of reallocations are not counted apart";
    EXPECT_EQ(counts.not_moved_bytes, 100U);
    EXPECT_EQ(counts.moved_bytes, 150U);
    EXPECT_EQ(counts.expanded_bytes, 50U);
    EXPECT_EQ(counts.allocated_bytes, 558U);   // 100 + 50 + 8 + 400
    EXPECT_EQ(counts.deallocated_bytes, 150U); // the moved block's old place
    EXPECT_EQ(counts.used_bytes, 408U);
    EXPECT_EQ(counts.high_tide_bytes, 558U) << "both places live while the bytes are copied";
    EXPECT_EQ(counts.allocate_ops, 2U);
}

TEST(stats, keeps_slack_and_a_histogram_if_asked) {
    Stats<Freelist<>, StatsDetail{.has_slack = true, .has_histogram = true}> allocator;
    void* const first = allocator.allocate(10, 16);  // slack 54
    void* const second = allocator.allocate(60, 16); // slack 4
    allocator.allocate(0, 16);                       // slack 64
    EXPECT_EQ(allocator.stats().slack_bytes, 122U);
    EXPECT_TRUE(allocator.resize(second, 60, 64, 16)); // slack 0
    allocator.deallocate(first, 10, 16);
    EXPECT_EQ(allocator.stats().slack_bytes, 64U);
    EXPECT_EQ(allocator.histogram().count(0), 1U);                           // 0
    EXPECT_EQ(allocator.histogram().count(SizeHistogram::class_of(10)), 1U); // 8 to 15
    EXPECT_EQ(allocator.histogram().count(6), 1U);                           // 32 to 63: 60
    const auto figures = figures_of(allocator);
    EXPECT_EQ(figures.at("stats_size_up_to_0_ops"), 1U);
    EXPECT_EQ(figures.at("stats_size_up_to_15_ops"), 1U);
    EXPECT_EQ(figures.at("stats_size_up_to_63_ops"), 1U);
    EXPECT_EQ(figures.count("stats_size_up_to_31_ops"), 0U) << "empty classes are left out";
}

TEST(stats, names_the_largest_sizes_too) {
    SizeHistogram histogram;
    histogram.add(SIZE_MAX);
    std::string seen;
    histogram.visit({[](void* context, const char* name, std::uint64_t) {
                         *static_cast<std::string*>(context) += name;
                     },
                     &seen});
    EXPECT_EQ(seen, "stats_size_up_to_18446744073709551615_ops");
}

TEST(stats, a_reset_ends_what_is_used_and_nothing_else) {
    Stats<Arena<>> allocator;
    allocator.allocate(100, 16);
    allocator.reset();
    allocator.allocate(30, 16);
    const StatsCounts counts = allocator.stats();
    EXPECT_EQ(counts.reset_ops, 1U);
    EXPECT_EQ(counts.used_bytes, 30U);
    EXPECT_EQ(counts.deallocated_bytes, 100U);
    EXPECT_EQ(counts.high_tide_bytes, 100U);
}

TEST(stats, counts_questions_of_ownership) {
    Stats<Pool<>> allocator;
    EXPECT_FALSE(allocator.owns(&allocator));
    EXPECT_TRUE(allocator.owns(allocator.allocate(5, 16)));
    EXPECT_EQ(allocator.stats().owns_ops, 2U);
}

// Row S8: one set of figures a part of a program.
TEST(stats, two_parts_of_a_program_are_counted_apart) {
    Pool<> shared;
    Stats<Pool<>&> parser(from_children, shared);
    Stats<Pool<>&> emitter(from_children, shared);
    parser.allocate(100, 16);
    emitter.allocate(7, 16);
    EXPECT_EQ(parser.stats().used_bytes, 100U);
    EXPECT_EQ(emitter.stats().used_bytes, 7U);
}

TEST(stats, visits_every_count_by_its_name) {
    Stats<Arena<>> allocator;
    allocator.allocate(12, 16);
    const auto figures = figures_of(allocator);
    for (const char* name : {"owns_ops",
                             "allocate_ops",
                             "allocate_ok_ops",
                             "aligned_allocate_ops",
                             "aligned_allocate_ok_ops",
                             "resize_ops",
                             "resize_ok_ops",
                             "expand_ops",
                             "expand_ok_ops",
                             "reallocate_ops",
                             "reallocate_ok_ops",
                             "reallocate_in_place_ops",
                             "deallocate_ops",
                             "reset_ops",
                             "used_bytes",
                             "high_tide_bytes",
                             "allocated_bytes",
                             "deallocated_bytes",
                             "expanded_bytes",
                             "contracted_bytes",
                             "moved_bytes",
                             "not_moved_bytes",
                             "slack_bytes"}) {
        EXPECT_EQ(figures.count(std::string("stats_") + name), 1U) << name;
    }
    EXPECT_EQ(figures.at("stats_allocated_bytes"), 12U);
    EXPECT_EQ(figures.at("reserved_bytes"), 65536U);
}

TEST(stats, passes_on_only_what_it_can_count) {
    static_assert(!UnsizedDeallocating<Stats<Pool<>>> && !Marking<Stats<Arena<>>>);
    static_assert(!Resizable<Stats<Null>> && Resizable<Stats<Pool<>>>);
    static_assert(Zeroing<Stats<Pool<>>> && !Zeroing<Stats<Freelist<>>>);
    static_assert(Reallocating<Stats<Pool<>>> && !Reallocating<Pool<>>);
    SUCCEED();
}

} // namespace
} // namespace alloclab
