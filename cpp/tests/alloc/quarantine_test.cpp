// SPDX-License-Identifier: MIT
#include <support/defects.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quarantine.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace alloclab {
namespace {

using Quarantined = Quarantine<Pool<>>;

Quarantined::Options limits(std::size_t blocks, std::size_t bytes = std::size_t{1} << 20) {
    Quarantined::Options options;
    options.blocks = blocks;
    options.bytes = bytes;
    return options;
}

TEST(Quarantine, a_freed_block_is_filled_and_not_used_again_for_as_many_frees_as_asked) {
    Quarantined quarantine(limits(64));
    void* const first = quarantine.allocate(48, 16);
    std::memset(first, 7, 48);
    quarantine.deallocate(first, 48, 16);
    EXPECT_EQ(find_damage(first, 48, freed_fill).count, 0U);
    for (int step = 0; step < 63; ++step) {
        void* const block = quarantine.allocate(48, 16);
        ASSERT_NE(block, first) << step;
        quarantine.deallocate(block, 48, 16);
    }
    EXPECT_EQ(quarantine.waiting_blocks(), 64U);
    void* const next = quarantine.allocate(48, 16);
    quarantine.deallocate(next, 48, 16);
    EXPECT_EQ(quarantine.waiting_blocks(), 64U) << "the first has left";
}

TEST(Quarantine, a_rewind_forgets_what_waits_in_the_memory_it_ends) {
    Defects defects;
    Quarantine<Arena<>> quarantine;
    quarantine.set_defect_handler(defects.handler());
    const auto point = quarantine.mark();
    void* const freed = quarantine.allocate(64, 16);
    ASSERT_NE(quarantine.allocate(64, 16), nullptr); // so that the freed one is not the newest
    quarantine.deallocate(freed, 64, 16);
    EXPECT_EQ(quarantine.waiting_blocks(), 1U);
    EXPECT_TRUE(quarantine.rewind(point));
    EXPECT_EQ(quarantine.waiting_blocks(), 0U);
    void* const again = quarantine.allocate(64, 16);
    ASSERT_EQ(again, freed);
    std::memset(again, 1, 64);
    EXPECT_TRUE(quarantine.check_waiting());
    quarantine.drain();
    EXPECT_TRUE(defects.all.empty());
    EXPECT_EQ(*static_cast<char*>(again), 1);
}

TEST(Quarantine, a_write_to_a_freed_block_is_found_when_it_leaves) {
    Defects defects;
    Quarantined quarantine(limits(4));
    quarantine.set_defect_handler(defects.handler());
    auto* const block = static_cast<char*>(quarantine.allocate(100, 16));
    quarantine.deallocate(block, 100, 16);
    block[30] = 1;
    block[33] = 1;
    for (int step = 0; step < 3; ++step) {
        quarantine.deallocate(quarantine.allocate(8, 16), 8, 16);
    }
    EXPECT_TRUE(defects.all.empty());
    quarantine.deallocate(quarantine.allocate(8, 16), 8, 16);
    ASSERT_EQ(defects.all.size(), 1U);
    EXPECT_EQ(defects.all[0].kind, DefectKind::use_after_free);
    EXPECT_EQ(defects.all[0].block, block);
    EXPECT_EQ(defects.all[0].offset, 30);
    EXPECT_EQ(defects.all[0].damaged_bytes, 4U);
}

TEST(Quarantine, every_byte_of_every_size_is_looked_at) {
    for (std::size_t size = 1; size < 700; size += size < 80 ? 1 : 37) {
        for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
            Defects defects;
            Quarantined quarantine;
            quarantine.set_defect_handler(defects.handler());
            auto* const block = static_cast<char*>(quarantine.allocate(size, 16));
            quarantine.deallocate(block, size, 16);
            EXPECT_TRUE(quarantine.check_waiting());
            block[place] ^= 1;
            EXPECT_FALSE(quarantine.check_waiting());
            ASSERT_EQ(defects.all.size(), 1U) << size;
            EXPECT_EQ(defects.all[0].offset, static_cast<std::ptrdiff_t>(place));
            EXPECT_TRUE(quarantine.check_waiting()) << "reported once";
        }
    }
}

TEST(Quarantine, bytes_are_bounded_and_what_is_larger_does_not_wait) {
    Quarantined quarantine(limits(1024, 10000));
    for (int step = 0; step < 100; ++step) {
        quarantine.deallocate(quarantine.allocate(900, 16), 900, 16);
        EXPECT_LE(quarantine.waiting_bytes(), 10000U);
    }
    EXPECT_EQ(quarantine.waiting_blocks(), 11U);
    quarantine.deallocate(quarantine.allocate(10001, 16), 10001, 16);
    EXPECT_EQ(quarantine.waiting_blocks(), 11U);
}

TEST(Quarantine, what_waits_goes_before_a_request_is_refused) {
    Quarantined::Options small = limits(1024);
    small.upstream.region_bytes = std::size_t{1} << 20;
    Quarantined quarantine(small);
    void* block = nullptr;
    for (int step = 0; step < 64; ++step) {
        block = quarantine.allocate(100000, 16);
        ASSERT_NE(block, nullptr) << step;
        quarantine.deallocate(block, 100000, 16);
    }
}

TEST(Quarantine, the_last_look_is_when_it_ends) {
    Defects defects;
    {
        Quarantined quarantine;
        quarantine.set_defect_handler(defects.handler());
        auto* const block = static_cast<char*>(quarantine.allocate(40, 16));
        quarantine.deallocate(block, 40, 16);
        block[0] = 0;
    }
    EXPECT_EQ(defects.all.size(), 1U);
}

TEST(Quarantine, options_are_read_from_text) {
    QuarantineOptions options;
    EXPECT_TRUE(options.set("quarantine_blocks", "16"));
    EXPECT_TRUE(options.set("quarantine_bytes", "64 KiB"));
    EXPECT_EQ(options.blocks, 16U);
    EXPECT_EQ(options.bytes, 65536U);
    EXPECT_FALSE(options.set("quarantine_blocks", "many"));
    EXPECT_FALSE(options.set("blocks", "1"));
}

} // namespace
} // namespace alloclab
