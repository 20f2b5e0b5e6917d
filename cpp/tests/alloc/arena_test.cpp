// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <type_traits>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using CountedArena = PackedArena<SourceRef<Counting>>;

ArenaOptions growing(double growth, std::size_t initial_bytes = 64_KiB,
                     std::size_t max_chunk_bytes = 64_MiB) {
    ArenaOptions options;
    options.growth = growth;
    options.initial_bytes = initial_bytes;
    options.max_chunk_bytes = max_chunk_bytes;
    return options;
}

static_assert(!std::is_move_constructible_v<PackedArena<>>,
              "row R22: it must not be moved after init");
static_assert(Resizable<PackedArena<>> && Rewindable<PackedArena<>> && Zeroing<PackedArena<>> &&
              Owning<PackedArena<>>);

// The first four goldens are lex-lang's own (its page is 64 KiB); alignment 1 as there.
TEST(Arena, an_empty_arena_has_no_page) {
    PackedArena<> arena;
    EXPECT_EQ(arena.stats().chunk_count, 0U);
    EXPECT_EQ(arena.stats().used_bytes, 0U);
}

TEST(Arena, the_first_allocation_makes_one_page_and_counts_its_bytes) {
    PackedArena<> arena;
    arena.allocate(16, 1);
    EXPECT_EQ(arena.stats().chunk_count, 1U);
    EXPECT_EQ(arena.stats().used_bytes, 16U);
    EXPECT_EQ(arena.stats().reserved_bytes, 64_KiB);
}

TEST(Arena, what_does_not_fit_the_page_begins_another_and_its_tail_is_counted) {
    PackedArena<> arena(growing(1.0, 64_KiB, 64_KiB));
    arena.allocate(64_KiB - 100, 1);
    arena.allocate(200, 1);
    const ArenaStats stats = arena.stats();
    EXPECT_EQ(stats.chunk_count, 2U);
    EXPECT_EQ(stats.used_bytes, 64_KiB + 100);
    EXPECT_EQ(stats.tail_waste_bytes, 100 - sizeof(ArenaChunk)); // lex-lang counts it as used
    EXPECT_EQ(stats.used_bytes + stats.tail_waste_bytes + stats.room_bytes + stats.header_bytes,
              stats.reserved_bytes);
}

TEST(Arena, a_request_above_the_page_gets_one_of_its_own) { // lex-lang panics
    PackedArena<> arena(growing(1.0, 64_KiB, 64_KiB));
    arena.allocate(8, 8);
    void* const large = arena.allocate(100000, 8);
    ASSERT_NE(large, nullptr);
    std::memset(large, 1, 100000);
    arena.allocate(8, 8);
    EXPECT_EQ(arena.stats().chunk_count, 1U) << "the page goes on being filled";
    EXPECT_EQ(arena.stats().oversize_count, 1U);
}

// Weir: p2 == p1 + 8, and 9000 times 8 bytes force growth.
// Row S5, W10: a bump of the cursor, and no header.
TEST(Arena, equal_blocks_stand_side_by_side) {
    PackedArena<> arena;
    auto* const first = static_cast<std::byte*>(arena.allocate(8, 8));
    auto* const second = static_cast<std::byte*>(arena.allocate(8, 8));
    EXPECT_EQ(second, first + 8);
    for (int block_idx = 2; block_idx < 9000; ++block_idx) {
        arena.allocate(8, 8);
    }
    EXPECT_EQ(arena.stats().chunk_count, 2U);
    EXPECT_EQ(arena.stats().used_bytes, 72000U);
}

// Row W36: 64 KiB first, doubling, up to the largest chunk.
TEST(Arena, chunks_double_up_to_the_limit) {
    PackedArena<> arena(growing(2.0, 64_KiB, 256_KiB));
    std::size_t reserved_bytes = 0;
    for (const std::size_t chunk_bytes : {64_KiB, 128_KiB, 256_KiB, 256_KiB, 256_KiB}) {
        arena.allocate(chunk_bytes - sizeof(ArenaChunk), 1);
        reserved_bytes += chunk_bytes;
        EXPECT_EQ(arena.stats().reserved_bytes, reserved_bytes);
    }
}

// Row L9: a page chain is growth 1.
TEST(Arena, growth_one_is_a_chain_of_equal_pages) {
    PackedArena<> arena(growing(1.0, 4_KiB));
    for (int block_idx = 0; block_idx < 100; ++block_idx) {
        arena.allocate(2000, 8);
    }
    EXPECT_EQ(arena.stats().chunk_count, 50U);
    EXPECT_EQ(arena.stats().reserved_bytes, 50 * 4_KiB);
}

// Row R5: an array that grows under an arena abandons (C - c0) / (g - 1) bytes. That does not hold
// for the newest block, which grows where it stands; so another block is allocated in between.
TEST(Arena, a_growing_array_abandons_what_its_growth_predicts) {
    for (const double growth : {2.0, 1.5}) {
        PackedArena<> arena(growing(2.0, 1_MiB));
        const std::size_t first_bytes = 1024;
        std::size_t bytes = first_bytes;
        std::size_t between_bytes = 0;
        std::size_t copied = 0;
        arena.allocate(bytes, 16);
        while (bytes < 4_MiB) {
            arena.allocate(16, 16);
            between_bytes += 16;
            bytes = align_up(static_cast<std::size_t>(static_cast<double>(bytes) * growth), 16);
            arena.allocate(bytes, 16);
            ++copied;
        }
        const std::size_t abandoned = arena.stats().used_bytes - bytes - between_bytes;
        const double predicted = static_cast<double>(bytes - first_bytes) / (growth - 1);
        // Each step rounds up to 16 bytes, and what it rounds grows with the array from then on;
        // the header pads each chunk's first block by nothing.
        EXPECT_NEAR(static_cast<double>(abandoned), predicted,
                    16.0 * static_cast<double>(copied) / (growth - 1))
            << growth;
    }
}

TEST(Arena, a_growing_array_that_stays_the_newest_abandons_nothing) {
    PackedArena<> arena(growing(2.0, 1_MiB));
    void* const block = arena.allocate(1024, 16);
    std::size_t bytes = 1024;
    for (; bytes < 512_KiB; bytes *= 2) {
        ASSERT_TRUE(arena.resize(block, bytes, bytes * 2, 16));
    }
    EXPECT_EQ(arena.stats().used_bytes, bytes);
}

TEST(Arena, only_the_newest_block_is_taken_back) { // Roc's SingleThreadArena does the same
    PackedArena<> arena;
    void* const first = arena.allocate(64, 16);
    void* const second = arena.allocate(64, 16);
    arena.deallocate(first, 64, 16);
    EXPECT_NE(arena.allocate(64, 16), first);
    void* const last = arena.allocate(64, 16);
    arena.deallocate(last, 64, 16);
    EXPECT_EQ(arena.allocate(32, 16), last);
    EXPECT_FALSE(arena.resize(second, 64, 128, 16));
    EXPECT_TRUE(arena.resize(second, 64, 32, 16)) << "any block may shrink where it stands";
}

TEST(Arena, the_newest_block_with_a_mapping_of_its_own_goes_back_at_once) {
    Counting source;
    CountedArena arena(growing(1.0, 64_KiB, 64_KiB), SourceRef(source));
    void* const first = arena.allocate(1_MiB, 16);
    void* const second = arena.allocate(1_MiB, 4096);
    arena.allocate(16, 16);
    arena.deallocate(first, 1_MiB, 16);
    EXPECT_EQ(arena.stats().oversize_count, 2U);
    arena.deallocate(second, 1_MiB, 4096);
    EXPECT_EQ(arena.stats().oversize_count, 1U);
    arena.deallocate(first, 1_MiB, 16);
    EXPECT_EQ(source.mapped_bytes(), 64_KiB);
}

TEST(Arena, a_rewind_ends_what_came_after_the_mark_and_keeps_capacity) { // row R24
    Counting source;
    CountedArena arena(growing(2.0), SourceRef(source));
    auto* const before = static_cast<char*>(arena.allocate(100, 16));
    std::memset(before, 7, 100);
    const ArenaMark mark = arena.mark();
    void* const after = arena.allocate(100, 16);
    for (int block_idx = 0; block_idx < 100; ++block_idx) {
        arena.allocate(10000, 16);
    }
    const std::size_t mapped_bytes = source.mapped_bytes();
    for (int round = 0; round < 3; ++round) {
        arena.rewind(mark);
        EXPECT_EQ(arena.stats().used_bytes, 100U);
        EXPECT_EQ(arena.allocate(100, 16), after);
        for (int block_idx = 0; block_idx < 100; ++block_idx) {
            arena.allocate(10000, 16);
        }
        EXPECT_EQ(source.mapped_bytes(), mapped_bytes) << "spare chunks were filled again";
    }
    EXPECT_EQ(before[99], 7);
}

TEST(Arena, nested_marks_rewind_inside_out) {
    PackedArena<> arena(growing(1.0, 4_KiB, 4_KiB));
    const ArenaMark outer = arena.mark();
    arena.allocate(3000, 16);
    const ArenaMark inner = arena.mark();
    arena.allocate(3000, 16);
    arena.allocate(100000, 16);
    arena.rewind(inner);
    EXPECT_EQ(arena.stats().used_bytes, 3000U);
    EXPECT_EQ(arena.stats().oversize_count, 0U);
    arena.rewind(outer);
    EXPECT_EQ(arena.stats().used_bytes, 0U);
}

TEST(Arena, a_rewind_spares_an_older_mapping_although_a_younger_one_was_freed) {
    PackedArena<> arena(growing(1.0, 4_KiB, 4_KiB));
    auto* const kept = static_cast<char*>(arena.allocate(100000, 16));
    void* const freed = arena.allocate(100000, 16);
    const ArenaMark mark = arena.mark();
    arena.deallocate(freed, 100000, 16);
    arena.allocate(100000, 16);
    arena.rewind(mark);
    EXPECT_EQ(arena.stats().oversize_count, 1U);
    kept[99999] = 1;
}

// Roc's three ways to reset.
TEST(Arena, free_all_gives_every_chunk_back) {
    Counting source;
    CountedArena arena(growing(2.0), SourceRef(source));
    arena.allocate(1_MiB, 16);
    arena.reset(ResetMode::free_all);
    EXPECT_EQ(source.mapped_bytes(), 0U);
    arena.allocate(16, 16);
    EXPECT_EQ(source.mapped_bytes(), 64_KiB) << "growth starts anew";
}

// Row S35: reset instead of individual frees.
TEST(Arena, retain_capacity_keeps_all_chunks_and_maps_none_for_the_same_work) {
    Counting source;
    CountedArena arena(growing(2.0, 64_KiB, 256_KiB), SourceRef(source));
    for (int round = 0; round < 4; ++round) {
        for (int block_idx = 0; block_idx < 300; ++block_idx) {
            ASSERT_NE(arena.allocate(5000, 16), nullptr);
        }
        arena.allocate(1_MiB, 16); // a mapping of its own
        arena.reset(ResetMode::retain_capacity);
        EXPECT_EQ(arena.stats().used_bytes, 0U);
    }
    EXPECT_EQ(source.unmap_count(), 0U);
    EXPECT_LE(source.map_count(), 9U); // 64, 128, then of 256 KiB each, and the large one
}

TEST(Arena, retain_with_limit_keeps_the_oldest_chunks_below_the_limit) {
    Counting source;
    ArenaOptions options = growing(2.0, 64_KiB, 256_KiB);
    options.reset = ResetMode::retain_with_limit;
    options.retain_limit_bytes = 200_KiB;
    CountedArena arena(options, SourceRef(source));
    for (int block_idx = 0; block_idx < 300; ++block_idx) {
        arena.allocate(5000, 16);
    }
    arena.reset();
    EXPECT_EQ(source.mapped_bytes(), 64_KiB + 128_KiB);
    EXPECT_EQ(arena.stats().spare_count, 2U);
}

TEST(Arena, committed_bytes_are_the_pages_ever_written) {
    PackedArena<> arena(growing(2.0, 1_MiB));
    arena.allocate(10000, 16);
    EXPECT_EQ(arena.stats().committed_bytes, align_up(10000 + sizeof(ArenaChunk), page_bytes));
    arena.reset(ResetMode::retain_capacity);
    EXPECT_EQ(arena.stats().committed_bytes, align_up(10000 + sizeof(ArenaChunk), page_bytes));
}

TEST(ArenaOptions, take_what_they_understand_and_nothing_else) {
    ArenaOptions options;
    EXPECT_TRUE(options.set("initial_bytes", "1 MiB"));
    EXPECT_TRUE(options.set("growth", "1.5"));
    EXPECT_TRUE(options.set("max_chunk_bytes", "2097152"));
    EXPECT_TRUE(options.set("reset", "retain_with_limit"));
    EXPECT_TRUE(options.set("retain_limit_bytes", "0"));
    EXPECT_EQ(options.initial_bytes, 1_MiB);
    EXPECT_DOUBLE_EQ(options.growth, 1.5);
    EXPECT_EQ(options.reset, ResetMode::retain_with_limit);
    for (const auto& [name, value] : {std::pair{"growth", "0.5"},
                                      {"growth", "17"},
                                      {"growth", "nan"},
                                      {"growth", ""},
                                      {"initial_bytes", "0"},
                                      {"initial_bytes", "-1"},
                                      {"initial_bytes", "9999 TiB"},
                                      {"reset", "none"},
                                      {"initial", "65536"},
                                      {"", ""}}) {
        EXPECT_FALSE(options.set(name, value)) << name << "=" << value;
    }
    EXPECT_EQ(options.initial_bytes, 1_MiB) << "a refused value changes nothing";
}

} // namespace
} // namespace alloclab
