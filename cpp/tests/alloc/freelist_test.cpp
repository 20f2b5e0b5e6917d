// SPDX-License-Identifier: MIT
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using Ref = SourceRef<Counting>;

// Row S6: fixed size.
TEST(Freelist, refuses_larger_blocks_and_higher_alignments_than_its_own) {
    Freelist<> freelist({.block_bytes = 48, .blocks_per_chunk = 10});
    EXPECT_EQ(freelist.block_alignment(), 16U);
    EXPECT_NE(freelist.allocate(48, 16), nullptr);
    EXPECT_EQ(freelist.allocate(49, 16), nullptr);
    EXPECT_EQ(freelist.allocate(48, 32), nullptr);
}

TEST(Freelist, fills_a_chunk_before_it_maps_another) {
    Counting source;
    Freelist<Ref, false> freelist({.block_bytes = 64, .blocks_per_chunk = 1023}, Ref(source));
    for (int block_idx = 0; block_idx < 1023; ++block_idx) {
        freelist.allocate(64, 64);
    }
    EXPECT_EQ(source.mapped_bytes(), 64_KiB) << "1023 blocks and a header are exactly 64 KiB";
    freelist.allocate(64, 64);
    EXPECT_EQ(freelist.stats().chunk_count, 2U);
}

TEST(Freelist, an_empty_chunk_goes_back_but_the_last_stays) {
    Counting source;
    Freelist<Ref> freelist({.block_bytes = 512, .blocks_per_chunk = 8}, Ref(source));
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 80; ++block_idx) {
        blocks.push_back(freelist.allocate(512, 16));
    }
    EXPECT_EQ(freelist.stats().chunk_count, 10U);
    EXPECT_EQ(freelist.stats().block_live_bytes, 80U * 512);
    for (void* const block : blocks) {
        freelist.deallocate(block, 512, 16);
    }
    EXPECT_EQ(freelist.stats().chunk_count, 1U);
    EXPECT_EQ(freelist.stats().live_count, 0U);
    const std::size_t map_count = source.map_count();
    for (int round = 0; round < 100; ++round) {
        freelist.deallocate(freelist.allocate(512, 16), 512, 16);
    }
    EXPECT_EQ(source.map_count(), map_count) << "no mapping back and forth";
}

TEST(Freelist, after_frees_in_any_order_neighbours_come_from_one_chunk) {
    Freelist<> freelist({.block_bytes = 64, .blocks_per_chunk = 63});
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 6300; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    Rng rng(3);
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[rng.below(left)]);
    }
    for (std::size_t block_idx = 0; block_idx < blocks.size() / 2; ++block_idx) {
        freelist.deallocate(blocks[block_idx], 64, 16);
    }
    // 3150 free blocks over 100 chunks: a plain list would hop between chunks at nearly every step.
    std::size_t hops = 0;
    std::uintptr_t last_chunk = 0;
    for (int block_idx = 0; block_idx < 3000; ++block_idx) {
        const auto address = reinterpret_cast<std::uintptr_t>(freelist.allocate(64, 16));
        hops += (address >> 12) != last_chunk;
        last_chunk = address >> 12;
    }
    EXPECT_LE(hops, 101U);
}

TEST(Freelist, gives_the_block_freed_last_first_and_a_chunk_s_others_in_address_order) {
    Freelist<> freelist({.block_bytes = 64, .blocks_per_chunk = 1000});
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 1000; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    const std::vector<void*> in_order = blocks;
    Rng rng(8);
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[rng.below(left)]);
    }
    for (void* const block : blocks) {
        freelist.deallocate(block, 64, 16);
    }
    EXPECT_EQ(freelist.allocate(64, 16), blocks.back());
    for (void* const block : in_order) {
        if (block != blocks.back()) {
            ASSERT_EQ(freelist.allocate(64, 16), block);
        }
    }
}

// Row S34: under churn of one size no memory is lost between the blocks.
TEST(Freelist, holds_no_more_than_the_most_that_lived_through_any_churn) {
    Counting source;
    Freelist<Ref, false> freelist({.block_bytes = 64, .blocks_per_chunk = 1023}, Ref(source));
    std::vector<void*> live;
    for (int block_idx = 0; block_idx < 8184; ++block_idx) {
        live.push_back(freelist.allocate(64, 16));
    }
    Rng rng(6);
    for (int step = 0; step < 200000; ++step) {
        void*& chosen = live[rng.below(live.size())];
        freelist.deallocate(chosen, 64, 16);
        chosen = freelist.allocate(64, 16);
    }
    EXPECT_EQ(freelist.stats().live_count, live.size());
    EXPECT_EQ(source.peak_mapped_bytes(), 8 * 64_KiB) << "8184 blocks are 8 chunks exactly";
}

// Row R40: memory of another allocator is not taken back.
TEST(Freelist, a_checked_one_counts_foreign_and_double_frees_and_ignores_them) {
    Freelist<OsPageSource, true> freelist({.block_bytes = 64, .blocks_per_chunk = 100});
    auto* const block = static_cast<std::byte*>(freelist.allocate(64, 16));
    void* const other = freelist.allocate(64, 16);
    alignas(64) std::byte foreign[64] = {};
    freelist.deallocate(foreign, 64, 16);
    freelist.deallocate(block + 8, 64, 16); // inside a block
    freelist.deallocate(block, 64, 16);
    freelist.deallocate(block, 64, 16);
    freelist.deallocate(block + 64 * 50, 64, 16); // never handed out
    EXPECT_EQ(freelist.stats().rejected_frees, 4U);
    EXPECT_EQ(freelist.stats().live_count, 1U);
    void* const first = freelist.allocate(64, 16);
    void* const second = freelist.allocate(64, 16);
    EXPECT_EQ((std::set<void*>{first, second, other}.size()), 3U) << "no block twice";
}

TEST(FreelistOptions, take_what_they_understand_and_nothing_else) {
    FreelistOptions options;
    EXPECT_TRUE(options.set("block_bytes", "128"));
    EXPECT_TRUE(options.set("blocks_per_chunk", "1"));
    EXPECT_EQ(options.block_bytes, 128U);
    EXPECT_FALSE(options.set("block_bytes", "7"));
    EXPECT_FALSE(options.set("block_bytes", "2 MiB"));
    EXPECT_FALSE(options.set("blocks_per_chunk", "0"));
    EXPECT_FALSE(options.set("blocks", "5"));
    EXPECT_EQ(options.block_bytes, 128U);
}

} // namespace
} // namespace alloclab
