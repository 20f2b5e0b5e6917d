// SPDX-License-Identifier: MIT
// Marks that must not be followed: rows R24 and W37, and what users ask of checkpoints.
#include <alloclab/alloc/arena.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

using CheckedArena = Arena<OsPageSource, ArenaTraits{.is_checked = true}>;
using UncheckedArena = Arena<OsPageSource, ArenaTraits{.is_checked = false}>;

ArenaOptions small_pages() {
    ArenaOptions options;
    options.set_preset("page_chain");
    options.initial_bytes = options.max_chunk_bytes = 4_KiB;
    return options;
}

template <class A> class ArenaMarks : public ::testing::Test {};
using Both = ::testing::Types<CheckedArena, UncheckedArena>;
TYPED_TEST_SUITE(ArenaMarks, Both);

TYPED_TEST(ArenaMarks, a_mark_of_another_arena_is_refused_and_changes_nothing) {
    TypeParam mine;
    TypeParam other;
    mine.allocate(100, 16);
    other.allocate(100, 16);
    const std::size_t used_bytes = mine.stats().used_bytes;
    EXPECT_FALSE(mine.rewind(other.mark()));
    EXPECT_EQ(mine.stats().used_bytes, used_bytes);
    EXPECT_EQ(mine.stats().refused_rewind_count, 1U);
}

TYPED_TEST(ArenaMarks, a_mark_above_the_top_is_refused) {
    TypeParam arena;
    arena.allocate(100, 16);
    void* const newest = arena.allocate(100, 16);
    const ArenaMark above = arena.mark();
    arena.deallocate(newest, 100, 16);
    EXPECT_FALSE(arena.rewind(above));
}

TYPED_TEST(ArenaMarks, a_mark_in_a_chunk_that_was_rewound_is_refused) {
    TypeParam arena(small_pages());
    arena.allocate(3000, 16);
    const ArenaMark outer = arena.mark();
    arena.allocate(3000, 16);
    const ArenaMark inner = arena.mark();
    EXPECT_TRUE(arena.rewind(outer));
    EXPECT_FALSE(arena.rewind(inner));
}

TYPED_TEST(ArenaMarks, a_mark_from_before_a_reset_is_refused) {
    for (const ResetMode mode : {ResetMode::free_all, ResetMode::retain_capacity}) {
        TypeParam arena;
        arena.allocate(100, 16);
        const ArenaMark old = arena.mark();
        arena.reset(mode);
        arena.allocate(1000, 16); // perhaps in the same chunk, above the mark
        EXPECT_FALSE(arena.rewind(old));
    }
}

TYPED_TEST(ArenaMarks, a_mark_of_an_empty_arena_empties_it) {
    TypeParam arena(small_pages());
    const ArenaMark empty = arena.mark();
    arena.allocate(3000, 16);
    arena.allocate(3000, 16);
    EXPECT_TRUE(arena.rewind(empty));
    EXPECT_EQ(arena.stats().used_bytes, 0U);
    EXPECT_TRUE(arena.rewind(empty)) << "the same mark may be returned to again";
}

// The position is below the top again, but a block stands across it now.
TEST(CheckedArenaMarks, a_mark_that_was_overtaken_is_refused) {
    CheckedArena arena;
    arena.allocate(64, 16);
    const ArenaMark outer = arena.mark();
    arena.allocate(64, 16);
    const ArenaMark inner = arena.mark();
    ASSERT_TRUE(arena.rewind(outer));
    arena.allocate(200, 16);
    EXPECT_FALSE(arena.rewind(inner));
    EXPECT_TRUE(arena.rewind(outer));
}

TEST(CheckedArenaMarks, a_mark_is_overtaken_by_the_free_of_a_block_below_it_too) {
    CheckedArena arena;
    arena.allocate(64, 16);
    void* const block = arena.allocate(64, 16);
    const ArenaMark mark = arena.mark();
    arena.deallocate(block, 64, 16);
    arena.allocate(200, 16);
    EXPECT_FALSE(arena.rewind(mark));
}

TEST(CheckedArenaMarks, marks_of_deep_nesting_stay_good) {
    CheckedArena arena(small_pages());
    std::array<ArenaMark, 40> marks{};
    for (int round = 0; round < 3; ++round) {
        for (ArenaMark& mark : marks) {
            mark = arena.mark();
            arena.allocate(500, 16);
        }
        for (std::size_t depth = marks.size(); depth-- > 0;) {
            EXPECT_TRUE(arena.rewind(marks[depth])) << "round " << round << ", depth " << depth;
            EXPECT_TRUE(arena.rewind(marks[depth]));
        }
    }
    EXPECT_EQ(arena.stats().refused_rewind_count, 0U);
}

TEST(ArenaMarkLog, forgets_the_lowest_of_more_levels_than_it_has) {
    ArenaMarkLog log;
    for (std::uint32_t level = 1; level <= 20; ++level) {
        log.note_rewind(level, 1, 100 * level); // each stays above the last
    }
    EXPECT_TRUE(log.is_overtaken(19, 1, 2001)) << "the newest is known";
    EXPECT_FALSE(log.is_overtaken(20, 1, 5000)) << "nothing happened since";
    EXPECT_FALSE(log.is_overtaken(3, 1, 450))
        << "the fourth was forgotten: not found, not invented";
    log.note_rewind(21, 1, 50);
    EXPECT_TRUE(log.is_overtaken(20, 1, 51));
    EXPECT_FALSE(log.is_overtaken(20, 1, 50)) << "as low as the mark is not below it";
    log.clear();
    EXPECT_FALSE(log.is_overtaken(0, 9, 9999));
}

} // namespace
} // namespace alloclab
