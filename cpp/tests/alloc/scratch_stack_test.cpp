// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/scratch_stack.hpp>
#include <alloclab/vm/failing_source.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace alloclab {
namespace {

// Row R24: stack-like, and clearing keeps the capacity.
TEST(ScratchStack, spans_nest_and_clearing_keeps_capacity) {
    Pool<> pool;
    ScratchStack<int, Pool<>> scratch(pool);
    for (int value = 0; value < 10; ++value) {
        ASSERT_TRUE(scratch.append(value));
    }
    EXPECT_EQ(scratch.capacity(), 64U) << "Roc's first capacity";
    const std::size_t outer = scratch.top();
    for (int value = 0; value < 1000; ++value) {
        ASSERT_TRUE(scratch.append(value));
    }
    const std::size_t capacity = scratch.capacity();
    const std::span<int> span = scratch.span_from(outer);
    EXPECT_EQ(span.size(), 1000U);
    EXPECT_EQ(std::accumulate(span.begin(), span.end(), 0), 999 * 1000 / 2);
    scratch.clear_from(outer);
    EXPECT_EQ(scratch.top(), 10U);
    EXPECT_EQ(scratch.span_from(0)[9], 9);
    EXPECT_EQ(scratch.capacity(), capacity);
    scratch.clear_from(0);
    EXPECT_EQ(scratch.capacity(), capacity);
}

TEST(ScratchStack, a_mark_above_the_top_is_an_empty_span_and_clears_nothing) {
    Pool<> pool;
    ScratchStack<int, Pool<>> scratch(pool);
    scratch.append(1);
    EXPECT_TRUE(scratch.span_from(5).empty());
    scratch.clear_from(5);
    EXPECT_EQ(scratch.top(), 1U);
}

TEST(ScratchStack, an_item_of_its_own_may_be_appended) {
    Pool<> pool;
    ScratchStack<int, Pool<>> scratch(pool);
    scratch.append(42);
    for (int round = 0; round < 500; ++round) {
        ASSERT_TRUE(scratch.append(scratch.span_from(0)[0])); // the array may move meanwhile
    }
    EXPECT_EQ(scratch.span_from(0)[500], 42);
}

// Rows R26, R44, R46: failures come back to the caller, and what was there stays.
TEST(ScratchStack, fails_at_every_request_without_losing_an_item) {
    for (std::size_t failing = 0; failing < 6; ++failing) {
        using Failing = FailingSource<OsPageSource>;
        Failing source(failing, SIZE_MAX / 2);
        ArenaOptions options;
        options.set_preset("page_chain");
        using A = Arena<SourceRef<Failing>>;
        A arena(options, SourceRef(source));
        ScratchStack<std::size_t, A> scratch(arena);
        std::size_t appended = 0;
        while (appended < 100000 && scratch.append(appended)) {
            ++appended;
        }
        EXPECT_EQ(scratch.top(), appended);
        EXPECT_LT(appended, 100000U);
        EXPECT_FALSE(scratch.reserve_hint(1000000));
        EXPECT_FALSE(scratch.reserve_hint(SIZE_MAX));
        for (std::size_t item_idx = 0; item_idx < appended; ++item_idx) {
            ASSERT_EQ(scratch.span_from(0)[item_idx], item_idx);
        }
    }
}

// Row R25: N lists that share one arena are all emptied by its one reset.
TEST(ScratchStack, gives_its_capacity_back) {
    Pool<> pool;
    ScratchStack<int, Pool<>> scratch(pool);
    scratch.append(1);
    scratch.free_capacity();
    EXPECT_EQ(scratch.capacity(), 0U);
    EXPECT_TRUE(scratch.append(2));
}

} // namespace
} // namespace alloclab
