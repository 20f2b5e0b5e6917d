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
    Freelist<Ref, false> freelist({}, Ref(source));
    for (int block_idx = 0; block_idx < 1984; ++block_idx) {
        freelist.allocate(64, 64);
    }
    EXPECT_EQ(source.mapped_bytes(), 128_KiB) << "1984 blocks and the rest are exactly 128 KiB";
    freelist.allocate(64, 64);
    EXPECT_EQ(freelist.stats().chunk_count, 2U);
}

TEST(Freelist, empty_chunks_go_back_but_the_serving_one_and_a_spare) {
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
    EXPECT_LE(freelist.stats().chunk_count, 3U) << "one block aside may hold another chunk";
    EXPECT_EQ(freelist.stats().live_count, 0U);
    const std::size_t map_count = source.map_count();
    for (int round = 0; round < 100; ++round) {
        for (int block_idx = 0; block_idx < 9; ++block_idx) { // more than a chunk has
            blocks[block_idx] = freelist.allocate(512, 16);
        }
        for (int block_idx = 0; block_idx < 9; ++block_idx) {
            freelist.deallocate(blocks[block_idx], 512, 16);
        }
    }
    EXPECT_EQ(source.map_count(), map_count) << "no mapping back and forth";
}

TEST(Freelist, after_frees_in_any_order_neighbours_come_from_one_chunk) {
    Freelist<OsPageSource, false> freelist({.block_bytes = 64, .blocks_per_chunk = 61}); // a page
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 6100; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    Rng rng(3);
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[rng.below(left)]);
    }
    for (std::size_t block_idx = 0; block_idx < blocks.size() / 2; ++block_idx) {
        freelist.deallocate(blocks[block_idx], 64, 16);
    }
    // 3050 free blocks over 100 chunks: a plain list would hop between chunks at nearly every step.
    std::size_t hops = 0;
    std::uintptr_t last_chunk = 0;
    for (int block_idx = 0; block_idx < 2900; ++block_idx) {
        const auto address = reinterpret_cast<std::uintptr_t>(freelist.allocate(64, 16));
        hops += (address >> 12) != last_chunk;
        last_chunk = address >> 12;
    }
    EXPECT_LE(hops, 101U);
}

TEST(Freelist, gives_the_block_freed_last_first) {
    Freelist<> freelist({.block_bytes = 64, .blocks_per_chunk = 10});
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 25; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    for (const std::size_t freed : {24U, 3U, 12U}) { // of the serving chunk and of two others
        freelist.deallocate(blocks[freed], 64, 16);
        while (freelist.allocate(64, 16) != blocks[freed]) {
            ASSERT_LT(freelist.stats().live_count, 30U) << "what the serving chunk still had";
        }
    }
}

TEST(Freelist, a_chunk_that_begins_to_serve_gives_its_blocks_in_address_order) {
    Freelist<> freelist({.block_bytes = 64, .blocks_per_chunk = 1000});
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 2000; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    blocks.resize(1000); // of the first chunk, while the second serves and is full
    const std::vector<void*> in_order = blocks;
    Rng rng(8);
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[rng.below(left)]);
    }
    for (void* const block : blocks) {
        freelist.deallocate(block, 64, 16);
    }
    EXPECT_EQ(freelist.allocate(64, 16), blocks.back()) << "the one aside";
    for (void* const block : in_order) {
        if (block != blocks.back()) {
            ASSERT_EQ(freelist.allocate(64, 16), block);
        }
    }
}

TEST(Freelist, a_block_aside_goes_back_to_its_chunk_when_that_serves_meanwhile) {
    Freelist<> freelist({.block_bytes = 64, .blocks_per_chunk = 4});
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 12; ++block_idx) {
        blocks.push_back(freelist.allocate(64, 16));
    }
    const std::set<void*> all(blocks.begin(), blocks.end());
    for (void* const block : blocks) {
        freelist.deallocate(block, 64, 16);
    }
    std::set<void*> again;
    for (int block_idx = 0; block_idx < 12; ++block_idx) {
        again.insert(freelist.allocate(64, 16));
    }
    EXPECT_EQ(again.size(), all.size()) << "no block twice";
    EXPECT_EQ(freelist.stats().live_count, 12U);
}

// A free block is neither read nor written: it may be poisoned, or not be in memory at all.
TEST(Freelist, leaves_a_free_block_as_it_is) {
    Freelist<OsPageSource, false> freelist({.block_bytes = 64, .blocks_per_chunk = 100});
    std::vector<unsigned char*> blocks;
    for (int block_idx = 0; block_idx < 300; ++block_idx) {
        blocks.push_back(static_cast<unsigned char*>(freelist.allocate(64, 16)));
        std::memset(blocks.back(), 0xAB, 64);
    }
    unsigned char* const kept = blocks.back(); // so that no chunk goes
    for (std::size_t block_idx = 0; block_idx < 100; ++block_idx) {
        freelist.deallocate(blocks[block_idx * 2], 64, 16);
    }
    for (std::size_t block_idx = 0; block_idx < 100; ++block_idx) {
        auto* const block = static_cast<unsigned char*>(freelist.allocate(64, 16));
        EXPECT_EQ(std::count(block, block + 64, 0xAB), 64);
    }
    freelist.deallocate(kept, 64, 16);
}

// Row S34: under churn of one size no memory is lost between the blocks.
TEST(Freelist, holds_no_more_than_the_most_that_lived_through_any_churn) {
    Counting source;
    Freelist<Ref, false> freelist({.block_bytes = 64, .blocks_per_chunk = 991}, Ref(source));
    std::vector<void*> live;
    for (int block_idx = 0; block_idx < 7928; ++block_idx) {
        live.push_back(freelist.allocate(64, 16));
    }
    Rng rng(6);
    for (int step = 0; step < 200000; ++step) {
        void*& chosen = live[rng.below(live.size())];
        freelist.deallocate(chosen, 64, 16);
        chosen = freelist.allocate(64, 16);
    }
    EXPECT_EQ(freelist.stats().live_count, live.size());
    EXPECT_EQ(source.peak_mapped_bytes(), 8 * 64_KiB) << "7928 blocks are 8 chunks exactly";
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
