// SPDX-License-Identifier: MIT
#include <alloclab/alloc/pool.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using CountedPool = Pool<SourceRef<Counting>>;

PoolOptions small_region(std::size_t bytes = 1_GiB) {
    PoolOptions options;
    options.region_bytes = bytes;
    return options;
}

bool is_filled(const void* block, std::size_t size, int fill) {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    return bytes[0] == fill && std::memcmp(bytes, bytes + 1, size - 1) == 0;
}

constexpr std::uint32_t spacings[] = {1, 2, 4, 8, 16};

TEST(SizeClasses, every_size_gets_the_smallest_class_that_holds_it) {
    for (const std::uint32_t spacing : spacings) {
        const pool::SizeClassTable table(spacing);
        for (std::size_t size = 0; size <= pool::small_max_bytes; ++size) {
            const std::uint32_t class_idx = table.class_of(size);
            const std::size_t block_bytes = table.classes[class_idx].block_bytes;
            ASSERT_GE(block_bytes, std::max<std::size_t>(size, 1));
            if (class_idx > 1) {
                ASSERT_LT(table.classes[class_idx - 1].block_bytes, size) << spacing;
            }
            // S51. Rounding loses at most 16 bytes of small blocks, a step of the spacing up to
            // 1 KiB, then less than a unit.
            const std::size_t most = size > pool::slab_max_bytes
                                         ? pool::unit_bytes - 1
                                         : std::max<std::size_t>(16, size / spacing);
            ASSERT_LE(block_bytes - size, most) << size << ", " << spacing << " a doubling";
        }
        EXPECT_EQ(table.classes[table.slab_class_count].block_bytes, pool::slab_max_bytes);
        EXPECT_EQ(table.classes[table.class_count].block_bytes, pool::small_max_bytes);
    }
}

TEST(SizeClasses, the_reciprocal_divides_every_offset_of_a_slab) {
    for (const std::uint32_t spacing : spacings) {
        const pool::SizeClassTable table(spacing);
        for (std::uint32_t class_idx = 1; class_idx <= table.slab_class_count; ++class_idx) {
            const pool::SizeClass& size_class = table.classes[class_idx];
            ASSERT_LE(size_class.block_count, pool::slab_max_blocks);
            ASSERT_GE(size_class.run_units, 4U) << "the table of records relies on it";
            for (std::uint64_t block_idx = 0; block_idx < size_class.block_count; ++block_idx) {
                const std::uint64_t offset = block_idx * size_class.block_bytes;
                ASSERT_EQ(offset * size_class.reciprocal >> 32, block_idx);
            }
        }
    }
}

TEST(SizeClasses, an_aligned_class_stands_at_multiples_of_the_alignment) {
    for (const std::uint32_t spacing : spacings) {
        const pool::SizeClassTable table(spacing);
        for (std::size_t alignment = 32; alignment <= 512; alignment *= 2) {
            for (std::size_t size = 0; size <= 4096; size += 7) {
                const std::size_t block_bytes = table.aligned_class_bytes(size, alignment);
                ASSERT_GE(block_bytes, size);
                ASSERT_EQ(block_bytes % alignment, 0U);
                ASSERT_NE(block_bytes, 0U);
            }
        }
        EXPECT_EQ(table.aligned_class_bytes(64, 1024), 0U);
        EXPECT_EQ(table.aligned_class_bytes(9000, 64), 0U);
    }
}

// Row S51: the spacing is a choice.
TEST(Pool, rounds_sizes_to_the_classes_its_options_ask_for) {
    for (const auto& [spacing, usable] :
         {std::pair<std::size_t, std::size_t>{1, 256}, {2, 192}, {4, 160}, {8, 144}, {16, 144}}) {
        PoolOptions options = small_region();
        options.classes_per_doubling = spacing;
        Pool<> pool(options);
        void* const block = pool.allocate(129, 16);
        EXPECT_EQ(pool.usable_size(block), usable);
        EXPECT_TRUE(pool.resize(block, 129, usable, 16));
        EXPECT_FALSE(pool.resize(block, 129, usable + 1, 16));
        pool.deallocate(block, 129, 16);
        EXPECT_TRUE(pool.check_invariants());
    }
    PoolOptions options;
    for (const char* const refused : {"0", "3", "32", "-1", ""}) {
        EXPECT_FALSE(options.set("classes_per_doubling", refused)) << refused;
    }
}

TEST(Pool, blocks_of_a_new_slab_come_in_address_order) {
    Pool<> pool(small_region());
    auto* last = static_cast<std::byte*>(pool.allocate(64, 16));
    for (int block_idx = 1; block_idx < 60; ++block_idx) {
        auto* const next = static_cast<std::byte*>(pool.allocate(64, 16));
        ASSERT_EQ(next, last + 64);
        last = next;
    }
}

// S54: from the threshold on a block is whole pages, which grow by moving them.
TEST(Pool, blocks_from_a_mebibyte_on_are_whole_pages) {
    constexpr std::size_t threshold = std::size_t{1} << 20;
    Pool<> pool(small_region());
    pool.deallocate(pool.allocate(pool::small_max_bytes + 1, 16)); // so that pages do not come free
    void* const below = pool.allocate(threshold - page_bytes + 1, 16);
    void* const above = pool.allocate(threshold + 1, 16);
    EXPECT_EQ(pool.usable_size(below), align_up(threshold - page_bytes + 1, pool::unit_bytes));
    EXPECT_EQ(pool.usable_size(above), threshold + page_bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(above) % page_bytes, 0U);
}

TEST(Pool, a_small_block_freed_twice_is_noticed_when_it_goes_back_to_its_slab) {
    Pool<> pool(small_region());
    void* const kept = pool.allocate(64, 16); // so that the slab lives on
    void* const block = pool.allocate(64, 16);
    pool.deallocate(block, 64, 16);
    pool.flush();
    EXPECT_EQ(pool.stats().rejected_frees, 0U);
    pool.deallocate(block, 64, 16);
    pool.deallocate(static_cast<char*>(kept) + 16, 64, 16); // nor is that a block
    pool.flush();
    EXPECT_EQ(pool.stats().rejected_frees, 2U);
    EXPECT_EQ(pool.stats().block_live_bytes, 64U);
    EXPECT_TRUE(pool.check_invariants());
}

TEST(Pool, a_large_block_freed_twice_is_ignored_and_counted) {
    Pool<> pool(small_region());
    void* const block = pool.allocate(100000, 16);
    pool.deallocate(block);
    pool.deallocate(block);
    EXPECT_EQ(pool.stats().rejected_frees, 1U);
    EXPECT_TRUE(pool.check_invariants());
}

#ifndef NDEBUG
TEST(Pool, a_block_freed_twice_in_a_row_is_noticed_at_once_in_debug) {
    Pool<> pool(small_region());
    void* const block = pool.allocate(64, 16);
    pool.deallocate(block, 64, 16);
    pool.deallocate(block, 64, 16);
    EXPECT_EQ(pool.stats().rejected_frees, 1U);
    EXPECT_NE(pool.allocate(64, 16), pool.allocate(64, 16));
}
#endif

TEST(Pool, counts_live_blocks_at_their_usable_sizes) {
    Pool<> pool(small_region());
    Rng rng(23);
    std::vector<void*> blocks;
    std::size_t live_bytes = 0;
    for (int step = 0; step < 20000; ++step) {
        const std::size_t size = rng.below(std::uint64_t{1} << rng.below(18));
        blocks.push_back(pool.allocate(size, 16));
        live_bytes += pool.usable_size(blocks.back());
        if (step % 3 == 0) {
            const std::size_t freed = rng.below(blocks.size());
            live_bytes -= pool.usable_size(blocks[freed]);
            pool.deallocate(blocks[freed]);
            blocks[freed] = blocks.back();
            blocks.pop_back();
        }
    }
    EXPECT_EQ(pool.stats().block_live_bytes, live_bytes);
    EXPECT_TRUE(pool.check_invariants());
    for (void* const block : blocks) {
        pool.deallocate(block);
    }
    EXPECT_EQ(pool.stats().block_live_bytes, 0U);
    EXPECT_TRUE(pool.check_invariants());
}

TEST(Pool, gives_free_pages_back_before_fresh_ones_set_a_new_peak) {
    Counting source;
    PoolOptions options = small_region();
    CountedPool pool(options, SourceRef(source));
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 256; ++block_idx) {
        blocks.push_back(pool.allocate(64_KiB, 16));
    }
    const std::size_t peak_bytes = pool.stats().committed_bytes;
    for (std::size_t block_idx = 0; block_idx < blocks.size(); block_idx += 2) {
        pool.deallocate(blocks[block_idx]);
    }
    EXPECT_EQ(source.purged_bytes(), 0U) << "nothing is given back below the peak";
    pool.allocate(10_MiB, 16); // fits no hole
    EXPECT_GE(source.purged_bytes(), 6_MiB);
    EXPECT_LE(pool.stats().committed_bytes, peak_bytes + peak_bytes / 16 + 2_MiB);
    EXPECT_EQ(pool.stats().purged_bytes, source.purged_bytes());
    EXPECT_TRUE(pool.check_invariants());
    for (int block_idx = 0; block_idx < 600; ++block_idx) { // no whole pages: cuts purged runs
        ASSERT_NE(pool.allocate(9000, 16), nullptr);
    }
    EXPECT_TRUE(pool.check_invariants());
}

TEST(Pool, keeps_free_pages_when_told_not_to_purge) {
    Counting source;
    PoolOptions options = small_region();
    options.purge = false;
    CountedPool pool(options, SourceRef(source));
    void* const block = pool.allocate(16_MiB, 16);
    void* const wall = pool.allocate(64_KiB, 16);
    pool.deallocate(block);
    pool.allocate(32_MiB, 16);
    EXPECT_EQ(source.purged_bytes(), 0U);
    EXPECT_NE(wall, nullptr);
}

TEST(Pool, a_new_peak_empties_the_caches_of_mid_sizes) {
    Pool<> pool(small_region());
    void* const mid = pool.allocate(4096, 16);
    pool.deallocate(mid);
    EXPECT_EQ(pool.stats().cached_bytes, 4096U);
    pool.allocate(8_MiB, 16);
    EXPECT_EQ(pool.stats().cached_bytes, 0U);
    EXPECT_TRUE(pool.check_invariants());
}

TEST(Pool, a_row_that_fills_and_empties_in_turns_grows) {
    Pool<> pool(small_region());
    const auto burst = [&pool] {
        std::vector<void*> blocks;
        for (int block_idx = 0; block_idx < 800; ++block_idx) {
            blocks.push_back(pool.allocate(64, 16));
        }
        for (void* const block : blocks) {
            pool.deallocate(block, 64, 16);
        }
    };
    burst();
    const std::size_t first_bytes = pool.stats().cached_bytes;
    EXPECT_LE(first_bytes, 255U * 64) << "at most doubled once";
    for (int round = 0; round < 8; ++round) {
        burst();
    }
    EXPECT_GE(pool.stats().cached_bytes, 800U * 64 / 2);
    EXPECT_TRUE(pool.check_invariants());
    EXPECT_EQ(pool.stats().block_live_bytes, 0U);
}

TEST(Pool, large_blocks_grow_in_place_or_move_with_their_bytes) {
    PoolHeap<> heap(small_region());
    const auto nothing = [](auto&) {};
    void* block = heap.allocate_large(3_MiB, 1, false, nothing);
    std::memset(block, 5, 3_MiB);
    ASSERT_EQ(heap.reallocate_large(block, 4_MiB, nothing), block) << "nothing in use behind it";
    void* const wall = heap.allocate_large(64_KiB, 1, false, nothing);
    void* const moved = heap.reallocate_large(block, 9_MiB, nothing);
    ASSERT_NE(moved, block);
    EXPECT_TRUE(is_filled(moved, 3_MiB, 5));
    EXPECT_EQ(heap.reallocate_large(moved, 2_MiB, nothing), moved);
    EXPECT_TRUE(is_filled(moved, 2_MiB, 5));
    EXPECT_EQ(heap.usable_size(moved), 2_MiB);
    EXPECT_EQ(heap.reallocate_large(moved, SIZE_MAX / 2, nothing), nullptr);
    EXPECT_TRUE(is_filled(moved, 2_MiB, 5)) << "a failed one leaves the block be";
    EXPECT_TRUE(heap.check_invariants());
    heap.deallocate_large(moved);
    heap.deallocate_large(wall);
    EXPECT_EQ(heap.stats(0, 0).block_live_bytes, 0U);
    heap.close();
}

TEST(Pool, high_alignments_cost_no_more_than_their_block) {
    Pool<> pool(small_region());
    for (std::size_t alignment = 1024; alignment <= 1_MiB; alignment *= 2) {
        void* const block = pool.allocate(100, alignment);
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
        EXPECT_EQ(pool.usable_size(block), 512U) << "what was cut off is free again";
        pool.deallocate(block, 100, alignment);
    }
    EXPECT_TRUE(pool.check_invariants());
}

TEST(Pool, foreign_pointers_are_not_its_own) {
    Pool<> pool(small_region());
    int foreign = 0;
    pool.deallocate(&foreign);
    EXPECT_EQ(pool.usable_size(&foreign), 0U);
    EXPECT_NE(pool.allocate(16, 16), nullptr);
    pool.deallocate(&foreign);
}

TEST(Pool, makes_do_with_the_region_it_gets) {
    LimitedSource<OsPageSource> limited(3_MiB);
    Pool<SourceRef<LimitedSource<OsPageSource>>> pool({}, SourceRef(limited));
    std::size_t total_bytes = 0;
    while (pool.allocate(1000, 16) != nullptr) {
        total_bytes += 1000;
    }
    EXPECT_GE(total_bytes, 1_MiB);
    EXPECT_EQ(pool.stats().reserved_bytes, limited.mapped_bytes());
}

TEST(PoolOptions, take_what_they_understand_and_nothing_else) {
    PoolOptions options;
    EXPECT_TRUE(options.set("purge", "off"));
    EXPECT_TRUE(options.set("region_bytes", "64 GiB"));
    EXPECT_TRUE(options.set("huge_pages_from_bytes", "24M"));
    EXPECT_TRUE(options.set("populate_bytes", "0"));
    EXPECT_TRUE(options.set("purge_slack_divisor", "64"));
    EXPECT_FALSE(options.purge);
    EXPECT_EQ(options.huge_pages_from_bytes, 24_MiB);
    EXPECT_FALSE(options.set("purge", "maybe"));
    EXPECT_FALSE(options.set("region_bytes", "4 KiB"));
    EXPECT_FALSE(options.set("purge_slack_divisor", "0"));
    EXPECT_FALSE(options.set("populate_bytes", "1 GiB"));
    EXPECT_FALSE(options.set("slack", "1"));
}

} // namespace
} // namespace alloclab
