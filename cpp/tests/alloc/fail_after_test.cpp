// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/fail_after.hpp>
#include <alloclab/alloc/pool.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

FailAfter<Arena<>>::Options failing(std::size_t served, std::size_t failed = SIZE_MAX) {
    FailAfter<Arena<>>::Options options;
    options.served_ops = served;
    options.failed_ops = failed;
    return options;
}

// Row R43: the request that fails is the one that was named.
TEST(fail_after, fails_the_requests_it_was_told_to) {
    FailAfter<Arena<>> allocator(failing(2, 3));
    for (int request = 0; request < 8; ++request) {
        EXPECT_EQ(allocator.allocate(16, 16) == nullptr, request >= 2 && request < 5) << request;
    }
    EXPECT_EQ(allocator.stats().request_ops, 8u);
    EXPECT_EQ(allocator.stats().injected_failure_ops, 3u);
}

TEST(fail_after, a_growing_resize_is_a_request_and_a_shrinking_one_is_not) {
    FailAfter<Arena<>> allocator(failing(1));
    void* const block = allocator.allocate(64, 16);
    EXPECT_TRUE(allocator.resize(block, 64, 32, 16));
    EXPECT_FALSE(allocator.resize(block, 32, 48, 16));
    EXPECT_EQ(allocator.stats().injected_failure_ops, 1u);
}

TEST(fail_after, without_options_nothing_fails) {
    FailAfter<Pool<>> allocator;
    void* const block = allocator.allocate(64, 16);
    EXPECT_NE(block, nullptr);
    allocator.deallocate(block, 64, 16);
}

TEST(fail_after, options_are_read_from_text) {
    FailAfterOptions options;
    EXPECT_TRUE(options.set("served_ops", "12"));
    EXPECT_TRUE(options.set("failed_ops", "1"));
    EXPECT_FALSE(options.set("served_ops", "-1"));
    EXPECT_FALSE(options.set("first", "1"));
    EXPECT_EQ(options.served_ops, 12u);
}

} // namespace
} // namespace alloclab
