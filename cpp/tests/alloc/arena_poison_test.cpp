// SPDX-License-Identifier: MIT
// Row R70: what was borrowed from an arena past its reset is noticed.
#include <alloclab/alloc/arena.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

using CheckedArena = Arena<OsPageSource, ArenaTraits{.is_checked = true}>;

ArenaOptions poisoned(ArenaPoison poison) {
    ArenaOptions options;
    options.poison = poison;
    return options;
}

// Looks at dead memory as a stray pointer would, past AddressSanitizer.
unsigned char peek(const void* memory) {
    const auto first = reinterpret_cast<std::uintptr_t>(memory);
    allow_touching(first, first + 1);
    const unsigned char value = *static_cast<const unsigned char*>(memory);
    return value;
}

TEST(ArenaPoison, a_reset_fills_what_died) {
    Arena<> arena(poisoned(ArenaPoison::fill));
    auto* const block = static_cast<unsigned char*>(arena.allocate(100, 16));
    std::memset(block, 1, 100);
    arena.reset(ResetMode::retain_capacity);
    EXPECT_EQ(peek(block), dead_byte);
    EXPECT_EQ(peek(block + 99), dead_byte);
}

TEST(ArenaPoison, a_rewind_fills_what_died_and_nothing_below_the_mark) {
    Arena<> arena(poisoned(ArenaPoison::fill));
    auto* const kept = static_cast<unsigned char*>(arena.allocate(100, 16));
    std::memset(kept, 1, 100);
    const ArenaMark mark = arena.mark();
    auto* const died = static_cast<unsigned char*>(arena.allocate(100, 16));
    std::memset(died, 2, 100);
    arena.rewind(mark);
    EXPECT_EQ(kept[99], 1);
    EXPECT_EQ(peek(died), dead_byte);
}

TEST(ArenaPoison, a_checked_arena_fills_the_newest_block_at_its_free) {
    CheckedArena arena;
    auto* const block = static_cast<unsigned char*>(arena.allocate(100, 16));
    std::memset(block, 1, 100);
    arena.deallocate(block, 100, 16);
    EXPECT_EQ(peek(block), dead_byte);
}

TEST(ArenaPoison, none_leaves_the_bytes) {
    Arena<> arena(poisoned(ArenaPoison::none));
    auto* const block = static_cast<unsigned char*>(arena.allocate(100, 16));
    std::memset(block, 1, 100);
    arena.reset(ResetMode::retain_capacity);
    EXPECT_EQ(peek(block + 50), 1);
}

TEST(ArenaPoison, poisoned_memory_is_zero_when_asked_to_be_zero) {
    Arena<> arena(poisoned(ArenaPoison::fill));
    std::memset(arena.allocate(5000, 16), 1, 5000);
    arena.reset(ResetMode::retain_capacity);
    const auto* const block = static_cast<unsigned char*>(arena.allocate_zeroed(8000, 16));
    EXPECT_EQ(std::count(block, block + 8000, 0), 8000);
}

TEST(ArenaPoison, protected_spare_chunks_fault_and_are_usable_again) {
    Arena<> arena(poisoned(ArenaPoison::protect));
    auto* const block = static_cast<unsigned char*>(arena.allocate(60000, 16));
    std::memset(block, 1, 60000);
    arena.reset(ResetMode::retain_capacity);
    EXPECT_DEATH(block[30000] = 2, "");
    EXPECT_EQ(arena.allocate(60000, 16), block);
    std::memset(block, 3, 60000);
    arena.reset(ResetMode::free_all);
}

#ifdef ALLOCLAB_HAS_ADDRESS_SANITIZER
TEST(ArenaPoison, the_sanitizer_reports_a_borrow_after_a_reset_and_a_write_past_the_end) {
    CheckedArena arena;
    auto* const block = static_cast<char*>(arena.allocate(100, 16));
    EXPECT_DEATH(block[104] = 1, "use-after-poison");
    arena.reset(ResetMode::retain_capacity);
    EXPECT_DEATH(block[0] = 1, "use-after-poison");
}
#endif

// Row S44: an arena nobody resets can be told from one that is empty.
TEST(ArenaStats, count_resets) {
    Arena<> arena;
    arena.allocate(100, 16);
    EXPECT_EQ(arena.stats().reset_count, 0U);
    EXPECT_GT(arena.stats().used_bytes, 0U);
    arena.reset();
    EXPECT_EQ(arena.stats().reset_count, 1U);
}

} // namespace
} // namespace alloclab
