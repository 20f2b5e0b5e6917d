// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/freelist.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace alloclab {
namespace {

using Kind = AllocationEventKind;

struct Listener {
    std::vector<AllocationEvent> events;
    std::vector<std::size_t> batches;
    static void hear(void* context, std::span<const AllocationEvent> events) noexcept {
        auto& self = *static_cast<Listener*>(context);
        self.events.insert(self.events.end(), events.begin(), events.end());
        self.batches.push_back(events.size());
    }
};

// Row S53: every call is told of, in order.
TEST(callback, tells_of_every_call_in_order) {
    Callback<Freelist<>> allocator;
    Listener listener;
    allocator.on_events(Listener::hear, &listener);
    void* const block = allocator.allocate(20, 16);
    EXPECT_EQ(allocator.allocate(65, 16), nullptr);
    EXPECT_TRUE(allocator.resize(block, 20, 50, 16));
    EXPECT_FALSE(allocator.resize(block, 50, 70, 16));
    allocator.deallocate(nullptr, 1, 16);
    allocator.deallocate(block, 50, 16);
    allocator.reset();
    EXPECT_TRUE(listener.events.empty()) << "not before the batch is full";
    allocator.flush();
    const std::vector<Kind> expected{Kind::allocate,       Kind::allocate_failed, Kind::resize,
                                     Kind::resize_refused, Kind::deallocate,      Kind::reset};
    ASSERT_EQ(listener.events.size(), expected.size());
    for (std::size_t event_idx = 0; event_idx < expected.size(); ++event_idx) {
        EXPECT_EQ(listener.events[event_idx].kind, expected[event_idx]);
        EXPECT_EQ(allocator.stats().count(expected[event_idx]), 1U);
    }
    EXPECT_EQ(listener.events[0].block, block);
    EXPECT_EQ(listener.events[0].size, 20U);
    EXPECT_EQ(listener.events[0].alignment, 16U);
    EXPECT_EQ(listener.events[1].size, 65U);
    EXPECT_EQ(listener.events[2].old_size, 20U);
    EXPECT_EQ(listener.events[4].size, 50U);
}

TEST(callback, calls_once_a_batch) {
    Listener listener;
    {
        Callback<Arena<>, 4> allocator;
        allocator.on_events(Listener::hear, &listener);
        for (int block_idx = 0; block_idx < 10; ++block_idx) {
            allocator.allocate(8, 8);
        }
        EXPECT_EQ(listener.batches, (std::vector<std::size_t>{4, 4}));
        EXPECT_EQ(allocator.stats().batch_count, 2U);
    }
    EXPECT_EQ(listener.batches, (std::vector<std::size_t>{4, 4, 2}))
        << "the end hands over the rest";
}

TEST(callback, without_a_listener_only_counts) {
    Callback<Arena<>, 4> allocator;
    for (int block_idx = 0; block_idx < 10; ++block_idx) {
        allocator.allocate(8, 8);
    }
    EXPECT_EQ(allocator.stats().count(Kind::allocate), 10U);
    EXPECT_EQ(allocator.stats().batch_count, 0U);
    Listener late;
    allocator.on_events(Listener::hear, &late);
    allocator.allocate(8, 8);
    Listener later;
    allocator.on_events(Listener::hear, &later); // the first gets what was meant for it
    EXPECT_EQ(late.events.size(), 1U);
    EXPECT_TRUE(later.events.empty());
}

TEST(callback, passes_on_only_what_it_can_tell_of) {
    static_assert(!Marking<Callback<Arena<>>> && Zeroing<Callback<Arena<>>>);
    static_assert(UnsizedDeallocating<Callback<Freelist<>>>);
    SUCCEED();
}

} // namespace
} // namespace alloclab
