// SPDX-License-Identifier: MIT
// Tables that are built and then owned by an arena: rows R6, R57-R60, R75.
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/presized_builder.hpp>
#include <alloclab/alloc/sealed_builder.hpp>
#include <alloclab/alloc/side_table.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/failing_source.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

TEST(PresizedBuilder, fills_one_block_and_hands_it_over) {
    Arena<> arena;
    PresizedBuilder<int, Arena<>> builder(arena, 100);
    for (int value = 0; value < 100; ++value) {
        ASSERT_TRUE(builder.append(value));
    }
    EXPECT_FALSE(builder.append(100)) << "it is as long as it was said to be";
    const std::span<int> table = builder.finish();
    EXPECT_EQ(table.size(), 100U);
    EXPECT_EQ(table[99], 99);
    EXPECT_EQ(arena.stats().used_bytes, 100 * sizeof(int));
}

TEST(PresizedBuilder, finish_moves_out_and_leaves_it_empty) { // row R75
    Pool<> pool;
    PresizedBuilder<int, Pool<>> builder(pool, 10);
    builder.append(7);
    const std::span<int> table = builder.finish();
    EXPECT_EQ(builder.size(), 0U);
    EXPECT_FALSE(builder.append(8));
    EXPECT_TRUE(builder.finish().empty());
    EXPECT_EQ(table[0], 7);
    pool.deallocate(table.data());
}

TEST(PresizedBuilder, gives_the_unused_rest_of_the_newest_block_back) {
    Arena<> arena;
    PresizedBuilder<char, Arena<>> builder(arena, 10000);
    builder.append('a');
    EXPECT_EQ(builder.finish().size(), 1U);
    EXPECT_EQ(arena.stats().used_bytes, 16U);
}

TEST(PresizedBuilder, has_no_capacity_where_memory_was_refused) {
    FailingSource<OsPageSource> source(0, 100);
    using A = Arena<SourceRef<FailingSource<OsPageSource>>>;
    A arena(A::default_options, SourceRef(source));
    PresizedBuilder<int, A> builder(arena, 100);
    EXPECT_EQ(builder.capacity(), 0U);
    EXPECT_FALSE(builder.append(1));
    PresizedBuilder<int, A> absurd(arena, SIZE_MAX);
    EXPECT_EQ(absurd.capacity(), 0U);
}

// Rows R58 and R60: built elsewhere, the arena holds exactly the table.
TEST(SealedBuilder, the_arena_holds_the_table_and_nothing_abandoned) {
    Pool<> pool;
    Arena<> arena;
    SealedBuilder<std::uint64_t, Pool<>> builder(pool);
    for (std::uint64_t value = 0; value < 5000; ++value) {
        ASSERT_TRUE(builder.append(value));
    }
    std::span<const std::uint64_t> table;
    ASSERT_TRUE(builder.seal(arena, table));
    EXPECT_EQ(table.size(), 5000U);
    EXPECT_EQ(table[4999], 4999U);
    EXPECT_TRUE(arena.owns(table.data()));
    EXPECT_EQ(arena.stats().used_bytes, 40000U);
    EXPECT_EQ(pool.stats().block_live_bytes, 0U) << "the array it was built in is freed";
}

TEST(SealedBuilder, changing_it_after_the_seal_fails) { // row R58
    Pool<> pool;
    Arena<> arena;
    SealedBuilder<int, Pool<>> builder(pool);
    builder.append(1);
    std::span<const int> table;
    ASSERT_TRUE(builder.seal(arena, table));
    EXPECT_TRUE(builder.is_sealed());
    EXPECT_FALSE(builder.append(2));
    EXPECT_TRUE(builder.items().empty());
    std::span<const int> again;
    EXPECT_FALSE(builder.seal(arena, again));
    EXPECT_EQ(table.size(), 1U);
    builder.restart(); // a new table; the sealed one stays
    EXPECT_TRUE(builder.append(3));
    EXPECT_EQ(table[0], 1);
}

TEST(SealedBuilder, an_empty_table_seals_to_nothing) {
    Pool<> pool;
    Arena<> arena;
    SealedBuilder<int, Pool<>> builder(pool);
    std::span<const int> table;
    EXPECT_TRUE(builder.seal(arena, table));
    EXPECT_TRUE(table.empty());
    EXPECT_EQ(arena.stats().reserved_bytes, 0U);
}

TEST(SealedBuilder, a_refused_seal_leaves_it_as_it_was) { // row R44
    Pool<> pool;
    FailingSource<OsPageSource> source(0, 2);
    using A = Arena<SourceRef<FailingSource<OsPageSource>>>;
    A arena(A::default_options, SourceRef(source));
    SealedBuilder<int, Pool<>> builder(pool);
    builder.append(1);
    std::span<const int> table;
    EXPECT_FALSE(builder.seal(arena, table));
    EXPECT_TRUE(builder.append(2));
    EXPECT_TRUE(builder.seal(arena, table)) << "the source has recovered";
    EXPECT_EQ(table.size(), 2U);
}

// Row R48: moved out and then built again, nothing is freed twice and the capacity serves again.
TEST(SealedBuilder, can_be_used_for_one_table_after_another) {
    Pool<> pool;
    Arena<> arena;
    SealedBuilder<int, Pool<>> builder(pool);
    for (int round = 0; round < 10; ++round) {
        for (int value = 0; value < 100; ++value) {
            ASSERT_TRUE(builder.append(round));
        }
        std::span<const int> table;
        ASSERT_TRUE(builder.seal(arena, table));
        EXPECT_EQ(table[99], round);
        builder.restart();
    }
    EXPECT_EQ(arena.stats().used_bytes, 10 * 400U);
}

// Row R59: what changes after publication stands beside the table.
TEST(SideTable, reads_changes_first_and_never_writes_the_table) {
    Pool<> pool;
    std::vector<int> sealed(1000);
    for (std::size_t item_idx = 0; item_idx < sealed.size(); ++item_idx) {
        sealed[item_idx] = static_cast<int>(item_idx);
    }
    const std::vector<int> before = sealed;
    SideTable<int, Pool<>> table(pool, sealed);
    EXPECT_EQ(table[500], 500);
    for (std::size_t item_idx = 0; item_idx < 1000; item_idx += 3) {
        ASSERT_TRUE(table.set(item_idx, -static_cast<int>(item_idx)));
    }
    for (std::size_t item_idx = 0; item_idx < 1000; ++item_idx) {
        const int value = static_cast<int>(item_idx);
        ASSERT_EQ(table[item_idx], item_idx % 3 == 0 ? -value : value);
    }
    EXPECT_EQ(table.changed_count(), 334U);
    EXPECT_TRUE(table.set(0, 7)) << "changed again, not twice";
    EXPECT_EQ(table.changed_count(), 334U);
    EXPECT_EQ(sealed, before);
    table.clear();
    EXPECT_EQ(table[999], 999);
    EXPECT_EQ(table.changed_count(), 0U);
}

TEST(SideTable, refuses_an_index_outside_and_says_when_memory_is_out) {
    FailingSource<OsPageSource> source(0, 100);
    using A = Arena<SourceRef<FailingSource<OsPageSource>>>;
    A arena(A::default_options, SourceRef(source));
    const int sealed[2] = {1, 2};
    SideTable<int, A> table(arena, sealed);
    EXPECT_FALSE(table.set(2, 0));
    EXPECT_FALSE(table.set(0, 5));
    EXPECT_EQ(table[0], 1);
}

} // namespace
} // namespace alloclab
