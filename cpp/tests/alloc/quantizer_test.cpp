// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/deterministic.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quantizer.hpp>
#include <alloclab/alloc/stats.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

TEST(size_steps, round_up_to_multiples_of_the_quantum) {
    constexpr SizeSteps steps{64, 0};
    EXPECT_EQ(steps.round_up(0), 64U);
    EXPECT_EQ(steps.round_up(1), 64U);
    EXPECT_EQ(steps.round_up(64), 64U);
    EXPECT_EQ(steps.round_up(65), 128U);
    EXPECT_EQ(steps.round_up(100000), 100032U);
    EXPECT_EQ(steps.round_up(SIZE_MAX - 63), SIZE_MAX - 63);
    EXPECT_EQ(steps.round_up(SIZE_MAX - 62), 0U) << "does not fit";
}

TEST(size_steps, round_up_to_powers_of_two_and_fractions_of_them) {
    constexpr SizeSteps powers{16, 1};
    EXPECT_EQ(powers.round_up(16), 16U);
    EXPECT_EQ(powers.round_up(17), 32U);
    EXPECT_EQ(powers.round_up(33), 64U);
    EXPECT_EQ(powers.round_up(4096), 4096U);
    EXPECT_EQ(powers.round_up(4097), 8192U);
    EXPECT_EQ(powers.round_up(SIZE_MAX / 2 + 2), 0U);
    constexpr SizeSteps quarters{16, 4};
    EXPECT_EQ(quarters.round_up(70), 80U);
    EXPECT_EQ(quarters.round_up(129), 160U);
    EXPECT_EQ(quarters.round_up(1025), 1280U);
}

TEST(quantizer, grows_a_block_within_its_step_where_it_stands) {
    Quantizer<Deterministic<Pool<>>> allocator; // what is below never resizes
    void* const block = allocator.allocate(33, 16);
    EXPECT_TRUE(allocator.resize(block, 33, 48, 16));
    EXPECT_FALSE(allocator.resize(block, 48, 49, 16));
    EXPECT_TRUE(allocator.resize(block, 48, 40, 16));
    EXPECT_FALSE(allocator.resize(block, 40, 32, 16));
}

TEST(quantizer, asks_what_is_below_for_steps_only) {
    Quantizer<Stats<Arena<>>>::Options options;
    ASSERT_TRUE(options.set("quantum_bytes", "64") && options.set("steps_per_doubling", "1"));
    Quantizer<Stats<Arena<>>> allocator(options);
    void* const block = allocator.allocate(65, 16); // 128 below
    EXPECT_EQ(allocator.stats().used_bytes, 128U);
    EXPECT_TRUE(allocator.resize(block, 65, 500, 16)); // 512 below, the arena's newest
    EXPECT_EQ(allocator.stats().used_bytes, 512U);
    allocator.deallocate(block, 500, 16);
    EXPECT_EQ(allocator.stats().used_bytes, 0U);
}

TEST(quantizer, takes_options_by_their_path) {
    Quantizer<Arena<>>::Options options;
    EXPECT_TRUE(options.set("upstream.initial_bytes", "1 MiB"));
    EXPECT_FALSE(options.set("quantum_bytes", "48")) << "not a power of two";
    EXPECT_FALSE(options.set("quantum_bytes", "0"));
    EXPECT_FALSE(options.set("steps_per_doubling", "3"));
    EXPECT_TRUE(options.set("steps_per_doubling", "0"));
}

TEST(deterministic, never_resizes_and_passes_the_rest_on) {
    static_assert(!Resizable<Deterministic<Arena<>>>);
    static_assert(Marking<Deterministic<Arena<>>> && Zeroing<Deterministic<Arena<>>>);
    static_assert(Owning<Deterministic<Pool<>>> && Measurable<Deterministic<Pool<>>>);
    static_assert(UnsizedDeallocating<Deterministic<Pool<>>>);
    static_assert(!Measurable<Deterministic<Arena<>>>);
    static_assert(sizeof(Deterministic<Pool<>>) == sizeof(Pool<>));
    Deterministic<Arena<>> arena;
    void* const block = arena.allocate(16, 16);
    void* const moved = reallocate(arena, block, 16, 17, 16);
    EXPECT_NE(moved, block);
    const auto point = arena.mark();
    void* const later = arena.allocate(8, 8);
    arena.rewind(point);
    EXPECT_EQ(arena.allocate(8, 8), later);
}

} // namespace
} // namespace alloclab
