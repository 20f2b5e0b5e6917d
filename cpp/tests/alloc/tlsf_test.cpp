// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tlsf.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using Ref = SourceRef<Counting>;

std::size_t visit_count = 0;
struct CountVisits {
    static void visit() { ++visit_count; }
};

void shuffle(std::vector<void*>& blocks, Rng& rng) {
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[rng.below(left)]);
    }
}

TEST(TlsfClasses, hold_their_spans_and_lose_at_most_a_thirty_second) {
    unsigned last_class = 0;
    for (std::size_t span = tlsf::min_span; span < 300000; span += tlsf::granule_bytes) {
        const unsigned class_idx = tlsf::class_of(span);
        ASSERT_TRUE(class_idx == last_class || class_idx == last_class + 1 || last_class == 0);
        last_class = class_idx;
        const unsigned searched = tlsf::class_at_least(span);
        ASSERT_TRUE(searched == class_idx || tlsf::class_of(span - 1) == class_idx) << span;
        ASSERT_LE(searched, class_idx + 1);
        ASSERT_EQ(tlsf::class_of(span + span / 32 + 16) >= searched, true);
    }
}

TEST(Tlsf, a_block_costs_eight_bytes_beside_its_own) { // row S48, for an allocator with headers
    Tlsf<> tlsf;
    auto* const first = static_cast<std::byte*>(tlsf.allocate(56, 16));
    auto* const second = static_cast<std::byte*>(tlsf.allocate(56, 16));
    EXPECT_EQ(second - first, 64);
    EXPECT_EQ(tlsf.usable_size(first), 56U);
}

TEST(Tlsf, a_request_of_the_whole_free_block_succeeds) {
    Counting source;
    Tlsf<Ref> tlsf({.initial_bytes = 100 * page_bytes}, Ref(source));
    void* const first = tlsf.allocate(1, 16);
    for (std::size_t taken_pages = 0; taken_pages < 60; ++taken_pages) {
        const std::size_t largest_bytes = tlsf.stats().largest_free_bytes;
        void* const block = tlsf.allocate(largest_bytes, 16);
        ASSERT_NE(block, nullptr);
        ASSERT_EQ(tlsf.usable_size(block), largest_bytes);
        ASSERT_EQ(tlsf.stats().free_count, 0U);
        tlsf.deallocate(block);
        ASSERT_NE(tlsf.allocate(4000 + taken_pages * 16, 16), nullptr);
    }
    EXPECT_EQ(source.map_count(), 1U);
    EXPECT_NE(first, nullptr);
}

TEST(Tlsf, no_call_looks_at_more_blocks_however_many_there_are) {
    std::size_t worst[2] = {};
    const std::size_t block_counts[2] = {2000, 200000};
    for (int round = 0; round < 2; ++round) {
        Tlsf<OsPageSource, CountVisits> tlsf;
        Rng rng(3);
        std::vector<void*> blocks;
        const auto count = [&](auto&& call) {
            visit_count = 0;
            call();
            worst[round] = std::max(worst[round], visit_count);
        };
        // Half of them freed: as many free blocks, many of one class, none next to another.
        for (std::size_t block_idx = 0; block_idx < block_counts[round]; ++block_idx) {
            const std::size_t size = block_idx % 2 == 0 ? 16 : 520 + rng.below(16);
            count([&] { blocks.push_back(tlsf.allocate(size, 16)); });
        }
        for (std::size_t block_idx = 1; block_idx < blocks.size(); block_idx += 2) {
            count([&] { tlsf.deallocate(blocks[block_idx]); });
        }
        // Sizes of that class but larger than all in it, then aligned ones, then the rest.
        for (std::size_t step = 0; step < 1000; ++step) {
            void* block = nullptr;
            count([&] { block = tlsf.allocate(536 + rng.below(8), 16); });
            count([&] { tlsf.resize(block, 0, 100 + rng.below(2000), 16); });
            count([&] { tlsf.allocate(rng.below(600), std::size_t{32} << rng.below(6)); });
        }
        for (std::size_t block_idx = 0; block_idx < blocks.size(); block_idx += 2) {
            count([&] { tlsf.deallocate(blocks[block_idx]); });
        }
    }
    EXPECT_LE(worst[0], 32U);
    EXPECT_LE(worst[1], 32U);
}

TEST(Tlsf, freed_neighbours_join_at_once_in_any_order) {
    Tlsf<> tlsf({.initial_bytes = 64_MiB});
    Rng rng(5);
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 20000; ++block_idx) {
        blocks.push_back(tlsf.allocate(rng.below(3000), 16));
    }
    shuffle(blocks, rng);
    for (std::size_t block_idx = 0; block_idx < blocks.size(); ++block_idx) {
        tlsf.deallocate(blocks[block_idx]);
        if (block_idx % 1000 == 0) {
            ASSERT_TRUE(tlsf.check_invariants());
        }
    }
    EXPECT_EQ(tlsf.stats().free_count, 1U);
    EXPECT_EQ(tlsf.stats().live_count, 0U);
    EXPECT_TRUE(tlsf.check_invariants());
}

TEST(Tlsf, what_it_holds_adds_up_through_a_random_life) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        Tlsf<> tlsf({.initial_bytes = 4_KiB, .retain_bytes = 16_KiB});
        Rng rng(seed);
        std::vector<void*> live;
        for (int step = 0; step < 6000; ++step) {
            const std::size_t alignment = std::size_t{1} << rng.below(13);
            if (live.size() < 20 || rng.below(5) < 2) {
                live.push_back(
                    tlsf.allocate(rng.below(std::uint64_t{1} << rng.below(17)), alignment));
                ASSERT_NE(live.back(), nullptr);
            } else {
                std::swap(live.back(), live[rng.below(live.size())]);
                if (rng.below(3) == 0) {
                    tlsf.resize(live.back(), 0, rng.below(20000), 16);
                } else {
                    tlsf.deallocate(live.back());
                    live.pop_back();
                }
            }
            if (step % 50 == 0) {
                const TlsfStats stats = tlsf.stats();
                ASSERT_EQ(stats.block_live_bytes + stats.free_bytes + stats.header_bytes,
                          stats.reserved_bytes);
                ASSERT_EQ(stats.live_count, live.size());
                ASSERT_TRUE(tlsf.check_invariants()) << "seed " << seed << ", step " << step;
            }
        }
    }
}

TEST(Tlsf, a_block_grows_into_its_free_neighbour_and_keeps_its_alignment) {
    Tlsf<> tlsf;
    auto* const block = static_cast<unsigned char*>(tlsf.allocate(200, 256));
    std::memset(block, 7, 200);
    void* const neighbour = tlsf.allocate(300, 16);
    EXPECT_FALSE(tlsf.resize(block, 200, 400, 256)) << "the neighbour is alive";
    tlsf.deallocate(neighbour);
    EXPECT_TRUE(tlsf.resize(block, 200, 5000, 256));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 256, 0U);
    EXPECT_GE(tlsf.usable_size(block), 5000U);
    EXPECT_TRUE(std::all_of(block, block + 200, [](unsigned char byte) { return byte == 7; }));
    EXPECT_TRUE(tlsf.resize(block, 5000, 10, 256));
    EXPECT_EQ(tlsf.usable_size(block), 24U);
    EXPECT_TRUE(tlsf.check_invariants());
}

TEST(Tlsf, empty_chunks_go_back_but_for_what_is_retained) {
    Counting source;
    Tlsf<Ref> tlsf({.initial_bytes = 64_KiB, .max_chunk_bytes = 64_KiB, .retain_bytes = 128_KiB},
                   Ref(source));
    std::vector<void*> blocks;
    for (int block_idx = 0; block_idx < 1000; ++block_idx) {
        blocks.push_back(tlsf.allocate(1000, 16));
    }
    EXPECT_GE(tlsf.stats().chunk_count, 15U);
    for (void* const block : blocks) {
        tlsf.deallocate(block);
    }
    EXPECT_EQ(source.mapped_bytes(), 128_KiB);
    const std::size_t map_count = source.map_count();
    for (int round = 0; round < 100; ++round) {
        tlsf.deallocate(tlsf.allocate(60000, 16));
    }
    EXPECT_EQ(source.map_count(), map_count) << "no mapping back and forth";
    tlsf.allocate(10, 16);
    tlsf.reset();
    EXPECT_EQ(source.mapped_bytes(), 128_KiB);
    EXPECT_TRUE(tlsf.check_invariants());
}

TEST(Tlsf, the_last_chunk_stays_even_when_it_is_larger_than_what_is_retained) {
    Counting source;
    Tlsf<Ref> tlsf({.initial_bytes = 4_KiB, .retain_bytes = 0}, Ref(source));
    for (int round = 0; round < 10; ++round) {
        tlsf.deallocate(tlsf.allocate(5_MiB, 16));
    }
    EXPECT_EQ(source.map_count(), 1U);
}

TEST(TlsfOptions, take_what_they_understand_and_nothing_else) {
    TlsfOptions options;
    EXPECT_TRUE(options.set("initial_bytes", "1 MiB"));
    EXPECT_TRUE(options.set("max_chunk_bytes", "2 MiB"));
    EXPECT_TRUE(options.set("retain_bytes", "0"));
    EXPECT_FALSE(options.set("initial_bytes", "100"));
    EXPECT_FALSE(options.set("initial_bytes", "1 TiB"));
    EXPECT_FALSE(options.set("retain", "1"));
    EXPECT_EQ(options.initial_bytes, 1_MiB);
    EXPECT_EQ(options.max_chunk_bytes, 2_MiB);
    EXPECT_EQ(options.retain_bytes, 0U);
}

} // namespace
} // namespace alloclab
