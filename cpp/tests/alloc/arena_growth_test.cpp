// SPDX-License-Identifier: MIT
// How an arena grows: its presets, chunks made longer in place, and hints.
#include <alloclab/alloc/arena.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/failing_source.hpp>
#include <alloclab/vm/fixed_region_source.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace alloclab {
namespace {

using Region = CountingSource<SourceRef<FixedRegionSource>>;
using RegionArena = Arena<SourceRef<Region>>;

// A region that only ever grows at its end: what a chunk can be extended into.
class ArenaInRegion : public ::testing::Test {
protected:
    std::vector<std::byte> memory_ = std::vector<std::byte>(4_MiB, std::byte{0xAA});
    FixedRegionSource fixed_{memory_};
    Region source_{SourceRef(fixed_)};
};

ArenaOptions preset(std::string_view name) {
    ArenaOptions options;
    EXPECT_TRUE(options.set("preset", name)) << name;
    return options;
}

TEST(ArenaPresets, are_the_designs_of_the_documents) {
    for (const char* name : {"page_chain", "lexlang", "swiftlang"}) {
        EXPECT_EQ(preset(name).growth, 1.0);
        EXPECT_EQ(preset(name).max_chunk_bytes, 64_KiB);
    }
    for (const char* name : {"doubling", "weir"}) {
        EXPECT_EQ(preset(name).growth, 2.0);
        EXPECT_EQ(preset(name).initial_bytes, 64_KiB);
    }
    EXPECT_EQ(preset("roc").growth, 1.5);
    EXPECT_TRUE(preset("roc").extend);
    EXPECT_EQ(preset("roc").reset, ResetMode::retain_with_limit);
    EXPECT_EQ(preset("roc").retain_limit_bytes, 64_MiB);
}

TEST(ArenaPresets, come_first_and_later_settings_stand) {
    ArenaOptions options = preset("roc");
    EXPECT_TRUE(options.set("growth", "3"));
    EXPECT_TRUE(options.set("extend", "no"));
    EXPECT_EQ(options.growth, 3.0);
    EXPECT_FALSE(options.extend);
    EXPECT_TRUE(options.set("poison", "fill"));
    EXPECT_TRUE(options.set("preset", "page_chain"));
    EXPECT_EQ(options.growth, 1.0);
    EXPECT_EQ(options.poison, ArenaPoison::fill) << "poison is no part of a preset";
    EXPECT_FALSE(options.set("preset", "quartz"));
    EXPECT_FALSE(options.set("poison", "0xDD"));
    EXPECT_FALSE(options.set("extend", "2"));
    EXPECT_EQ(options.growth, 1.0) << "a refused value changes nothing";
}

TEST_F(ArenaInRegion, the_chunk_being_filled_is_made_longer_where_the_source_can) {
    RegionArena arena(preset("roc"), SourceRef(source_));
    for (int block_idx = 0; block_idx < 1000; ++block_idx) {
        ASSERT_NE(arena.allocate(1000, 16), nullptr);
    }
    EXPECT_EQ(arena.stats().chunk_count, 1U);
    EXPECT_EQ(arena.stats().tail_waste_bytes, 0U);
    EXPECT_EQ(source_.map_count(), 1U);
    // 64 KiB times 1.5 for each, down to pages: the eighth chunk is the first above 10^6 bytes.
    EXPECT_EQ(source_.extend_count(), 7U);
    EXPECT_EQ(arena.stats().reserved_bytes, source_.mapped_bytes());
    arena.reset(ResetMode::free_all);
    EXPECT_EQ(source_.mapped_bytes(), 0U) << "unmapped as long as it became";
}

TEST_F(ArenaInRegion, the_newest_block_grows_past_its_chunk) {
    RegionArena arena(preset("roc"), SourceRef(source_));
    void* const block = arena.allocate(1000, 16);
    EXPECT_TRUE(arena.resize(block, 1000, 1_MiB, 16));
    static_cast<char*>(block)[1_MiB - 1] = 1;
    EXPECT_FALSE(arena.resize(block, 1_MiB, 100_MiB, 16)) << "more than the region";
    EXPECT_EQ(arena.stats().used_bytes, 1_MiB);
}

TEST_F(ArenaInRegion, memory_a_dirty_source_extended_by_is_cleared_when_asked_to_be_zero) {
    RegionArena arena(preset("roc"), SourceRef(source_));
    arena.allocate(60000, 16);
    const auto* const block = static_cast<char*>(arena.allocate_zeroed(30000, 16));
    EXPECT_EQ(source_.extend_count(), 1U);
    EXPECT_EQ(std::count(block, block + 30000, 0), 30000);
}

TEST_F(ArenaInRegion, a_chunk_is_begun_where_the_source_cannot_extend) {
    RegionArena arena(preset("roc"), SourceRef(source_));
    arena.allocate(60000, 16);
    void* const barrier = source_.map(page_bytes, page_bytes);
    EXPECT_NE(arena.allocate(60000, 16), nullptr);
    EXPECT_EQ(arena.stats().chunk_count, 2U);
    EXPECT_EQ(source_.extend_count(), 0U);
    source_.unmap(barrier, page_bytes);
}

// Row R46: a hint that fails is no failure; the append that fails says so.
TEST(ArenaHints, a_refused_hint_is_told_and_later_requests_still_report) {
    using Failing = FailingSource<OsPageSource>;
    Failing source(1, 3); // the hint, a chunk, and the least chunk that would do
    Arena<SourceRef<Failing>> arena(preset("page_chain"), SourceRef(source));
    ASSERT_NE(arena.allocate(60000, 16), nullptr);
    EXPECT_FALSE(arena.reserve_hint(20000));
    EXPECT_EQ(arena.allocate(20000, 16), nullptr);
    EXPECT_NE(arena.allocate(20000, 16), nullptr) << "the source has recovered";
}

TEST(ArenaHints, what_a_hint_promised_is_there_without_another_request) {
    CountingSource<OsPageSource> source;
    Arena<SourceRef<CountingSource<OsPageSource>>> arena(preset("doubling"), SourceRef(source));
    EXPECT_TRUE(arena.reserve_hint(1_MiB));
    EXPECT_TRUE(arena.reserve_hint(1_MiB)) << "it is there already";
    const std::size_t map_count = source.map_count();
    for (int block_idx = 0; block_idx < 1024; ++block_idx) {
        ASSERT_NE(arena.allocate(1024, 16), nullptr);
    }
    EXPECT_EQ(source.map_count(), map_count);
    EXPECT_FALSE(arena.reserve_hint(SIZE_MAX));
    EXPECT_FALSE(arena.reserve_hint(SIZE_MAX / 2));
}

// Row R44: the fault may hit an extension, a chunk or a mapping of its own.
TEST_F(ArenaInRegion, a_fault_at_every_request_leaks_nothing) {
    for (std::size_t failing = 0; failing < 20; ++failing) {
        using Failing = FailingSource<SourceRef<Region>>;
        Failing faulty(failing, 1, SourceRef(source_));
        {
            Arena<SourceRef<Failing>> arena(preset("roc"), SourceRef(faulty));
            std::size_t refused = 0;
            for (int block_idx = 0; block_idx < 300; ++block_idx) {
                refused += arena.allocate(5000, 16) == nullptr ? 1 : 0;
            }
            EXPECT_LE(refused, 1U);
            EXPECT_EQ(arena.stats().reserved_bytes, source_.mapped_bytes());
        }
        ASSERT_EQ(source_.mapped_bytes(), 0U) << "request " << failing;
    }
}

TEST(ArenaExtension, stays_within_a_limit) {
    std::vector<std::byte> memory(4_MiB);
    FixedRegionSource fixed(memory);
    using Limited = LimitedSource<SourceRef<FixedRegionSource>>;
    Limited limited(200_KiB, SourceRef(fixed));
    Arena<SourceRef<Limited>> arena(preset("roc"), SourceRef(limited));
    std::size_t block_count = 0;
    while (arena.allocate(1008, 16) != nullptr) {
        ++block_count;
    }
    EXPECT_LE(limited.mapped_bytes(), 200_KiB);
    EXPECT_GT(block_count * 1008, 150_KiB);
}

} // namespace
} // namespace alloclab
