// SPDX-License-Identifier: MIT
#include <support/defects.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/pool.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace alloclab {
namespace {

TEST(Guard, a_whole_block_is_freed_in_silence) {
    Defects defects;
    Guard<Pool<>> guard;
    guard.set_defect_handler(defects.handler());
    for (std::size_t size = 0; size < 3000; size = size * 3 / 2 + 1) {
        void* const block = guard.allocate(size, 16);
        std::memset(block, 0, size);
        guard.deallocate(block, size, 16);
    }
    EXPECT_TRUE(defects.all.empty());
}

TEST(Guard, every_byte_after_the_end_is_seen_up_to_sixteen) {
    for (std::size_t size = 0; size < 40; ++size) {
        for (std::size_t distance = 0; distance < 16; ++distance) {
            Defects defects;
            Guard<Pool<>> guard;
            guard.set_defect_handler(defects.handler());
            auto* const block = static_cast<char*>(guard.allocate(size, 16));
            block[size + distance] ^= 1;
            guard.deallocate(block, size, 16);
            ASSERT_EQ(defects.all.size(), 1U) << size << " + " << distance;
            EXPECT_EQ(defects.all[0].kind, DefectKind::overflow);
            EXPECT_EQ(defects.all[0].offset, static_cast<std::ptrdiff_t>(size + distance));
            EXPECT_EQ(defects.all[0].damaged_bytes, 1U);
        }
    }
}

TEST(Guard, every_byte_before_the_start_is_seen_whatever_the_alignment) {
    for (const std::size_t alignment : {1U, 16U, 64U, 4096U}) {
        for (std::ptrdiff_t distance = 1; distance <= 16; ++distance) {
            Defects defects;
            Guard<Pool<>> guard;
            guard.set_defect_handler(defects.handler());
            auto* const block = static_cast<char*>(guard.allocate(24, alignment));
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
            block[-distance] ^= 1;
            guard.deallocate(block, 24, alignment);
            ASSERT_EQ(defects.all.size(), 1U);
            EXPECT_EQ(defects.all[0].kind, DefectKind::underflow);
            EXPECT_EQ(defects.all[0].offset, -distance);
        }
    }
}

TEST(Guard, a_resize_looks_and_moves_the_guard) {
    Defects defects;
    Guard<Arena<>> guard;
    guard.set_defect_handler(defects.handler());
    auto* const block = static_cast<char*>(guard.allocate(10, 16));
    ASSERT_TRUE(guard.resize(block, 10, 100, 16));
    std::memset(block, 1, 100);
    EXPECT_TRUE(guard.check(block, 100));
    block[100] = 1;
    ASSERT_TRUE(guard.resize(block, 100, 200, 16));
    EXPECT_EQ(defects.all.size(), 1U);
    EXPECT_TRUE(guard.check(block, 200));
}

TEST(Guard, sizes_nothing_could_hold_return_null) {
    Guard<Pool<>> guard;
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 47, SIZE_MAX / 2 + 1}) {
        EXPECT_EQ(guard.allocate(size, 16), nullptr) << size;
    }
    EXPECT_EQ(guard.allocate(1, std::size_t{1} << 63), nullptr);
}

using GuardDeath = ::testing::Test;
TEST(GuardDeath, without_a_handler_it_says_what_and_aborts) {
    EXPECT_DEATH(
        {
            Guard<Pool<>> guard;
            auto* const block = static_cast<char*>(guard.allocate(20, 16));
            std::memset(block, 0, 23);
            guard.deallocate(block, 20, 16);
        },
        "alloclab: write past the end: 0x[0-9a-f]+, 20 bytes; 3 bytes written, the first 0 after "
        "the end");
}

} // namespace
} // namespace alloclab
