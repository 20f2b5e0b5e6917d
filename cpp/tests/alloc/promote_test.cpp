// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/promote.hpp>
#include <alloclab/alloc/tlsf.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace alloclab {
namespace {

// Rows R16 and R28: work in an arena of one's own, copy the result out, reset.
TEST(Promote, a_result_outlives_the_arena_it_was_made_in) {
    Tlsf<> durable;
    char* result = nullptr;
    {
        Arena<> scratch;
        auto* const made = static_cast<char*>(scratch.allocate(100, 1));
        std::memset(made, 'r', 100);
        result = static_cast<char*>(promote(made, 100, 64, durable));
        scratch.reset();
        std::memset(scratch.allocate(100, 1), 'x', 100);
    }
    ASSERT_NE(result, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(result) % 64, 0U);
    EXPECT_EQ(result[0], 'r');
    EXPECT_EQ(result[99], 'r');
    EXPECT_EQ(durable.stats().live_count, 1U) << "nothing but the result is left";
}

TEST(Promote, an_allocator_without_room_gives_null_and_spares_the_original) {
    char original[4] = {'a', 'b', 'c', 'd'};
    Null full;
    EXPECT_EQ(promote(original, sizeof original, 1, full), nullptr);
    EXPECT_EQ(original[3], 'd');
}

TEST(Promote, no_bytes_are_a_block_all_the_same) {
    Arena<> durable;
    EXPECT_NE(promote(nullptr, 0, 1, durable), nullptr);
}

} // namespace
} // namespace alloclab
