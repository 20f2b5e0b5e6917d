// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/limit.hpp>
#include <alloclab/alloc/pool.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace alloclab {
namespace {

Limit<Pool<>>::Options limit_of(std::size_t bytes) {
    Limit<Pool<>>::Options options;
    options.limit_bytes = bytes;
    return options;
}

// Row S52: over budget is null, and somebody is told.
TEST(limit, refuses_what_would_go_over_and_tells) {
    Limit<Pool<>> allocator(limit_of(1000));
    std::vector<LimitRefusal> told;
    allocator.on_refusal(
        [](void* context, const LimitRefusal& refusal) noexcept {
            static_cast<decltype(told)*>(context)->push_back(refusal);
        },
        &told);
    void* const first = allocator.allocate(600, 16);
    EXPECT_NE(first, nullptr);
    EXPECT_EQ(allocator.allocate(401, 16), nullptr);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].size, 401U);
    EXPECT_EQ(told[0].used_bytes, 600U);
    EXPECT_EQ(told[0].limit_bytes, 1000U);
    void* const second = allocator.allocate(400, 16);
    EXPECT_NE(second, nullptr) << "exactly the limit is within it";
    allocator.deallocate(first, 600, 16);
    EXPECT_EQ(allocator.used_bytes(), 400U);
    EXPECT_EQ(told.size(), 1U);
    EXPECT_EQ(allocator.stats().refused_ops, 1U);
    EXPECT_EQ(allocator.stats().refused_bytes, 401U);
    allocator.on_refusal(nullptr, nullptr);
    EXPECT_EQ(allocator.allocate(SIZE_MAX, 16), nullptr);
    EXPECT_EQ(told.size(), 1U);
}

TEST(limit, charges_growth_and_credits_shrinking) {
    Limit<Pool<>> allocator(limit_of(100));
    void* const block = allocator.allocate(80, 16);
    EXPECT_FALSE(allocator.resize(block, 80, 101, 16));
    EXPECT_EQ(allocator.stats().refused_bytes, 21U);
    ASSERT_TRUE(allocator.resize(block, 80, 78, 16));
    EXPECT_EQ(allocator.used_bytes(), 78U);
    EXPECT_FALSE(allocator.resize(block, 78, 100, 16)) << "another size class: the pool says no";
    EXPECT_EQ(allocator.used_bytes(), 78U);
    allocator.deallocate(nullptr, 78, 16);
    EXPECT_EQ(allocator.used_bytes(), 78U) << "a free of null gives nothing back";
}

TEST(limit, what_the_child_refuses_is_not_charged) {
    Limit<Freelist<>> allocator;
    EXPECT_EQ(allocator.allocate(65, 16), nullptr);
    EXPECT_EQ(allocator.used_bytes(), 0U);
    EXPECT_EQ(allocator.stats().refused_ops, 0U);
}

TEST(limit, can_be_lowered_below_what_is_used) {
    Limit<Pool<>> allocator(limit_of(1000));
    void* const block = allocator.allocate(900, 16);
    allocator.set_limit(100);
    EXPECT_EQ(allocator.allocate(0, 16), nullptr);
    EXPECT_TRUE(allocator.resize(block, 900, 899, 16)) << "shrinking is always within it";
    allocator.deallocate(block, 899, 16);
    EXPECT_NE(allocator.allocate(100, 16), nullptr);
    allocator.reset();
    EXPECT_EQ(allocator.used_bytes(), 0U);
}

TEST(limit, passes_on_only_what_it_can_charge) {
    static_assert(!UnsizedDeallocating<Limit<Pool<>>> && !Marking<Limit<Arena<>>>);
    static_assert(Owning<Limit<Pool<>>> && Measurable<Limit<Pool<>>>);
    Limit<Pool<>>::Options options;
    EXPECT_TRUE(options.set("limit_bytes", "16 MiB"));
    EXPECT_EQ(options.limit_bytes, std::size_t{16} << 20);
    EXPECT_FALSE(options.set("bytes", "16 MiB"));
}

} // namespace
} // namespace alloclab
