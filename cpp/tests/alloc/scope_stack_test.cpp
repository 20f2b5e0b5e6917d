// SPDX-License-Identifier: MIT
// Scopes: rows W3, W35, W37 and L1, L2, L4, L11, L12.
#include <alloclab/alloc/scope_stack.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;

TEST(ScopeStack, what_is_allocated_in_a_scope_dies_when_it_ends) { // row W3, W11
    ScopeStack<> scopes;
    {
        ArenaScope frame(scopes, "frame");
        EXPECT_NE(frame.allocate(100, 16), nullptr);
        EXPECT_EQ(scopes.find("frame")->stats().used_bytes, 112U);
    }
    EXPECT_EQ(scopes.find("frame"), nullptr);
    EXPECT_EQ(scopes.depth(), 0U);
}

// Row L12: a counter that only goes up.
TEST(ScopeStack, ids_are_never_used_again) {
    ScopeStack<> scopes;
    ScopeId last{};
    for (int request = 0; request < 1000; ++request) {
        const ScopeId id = scopes.enter_request_scope();
        EXPECT_GT(id, last);
        last = id;
        EXPECT_TRUE(scopes.exit_request_scope(id));
        EXPECT_FALSE(scopes.exit_request_scope(id)) << "it has ended";
    }
}

// Row W37: inside out, or not at all.
TEST(ScopeStack, strict_scopes_end_inside_out) {
    ScopeStack<> scopes;
    const ScopeId outer = scopes.enter("level");
    const ScopeId inner = scopes.enter("frame");
    EXPECT_FALSE(scopes.exit(outer));
    EXPECT_EQ(scopes.depth(), 2U) << "nothing changed";
    EXPECT_EQ(scopes.refused_count(), 1U);
    EXPECT_TRUE(scopes.exit(inner));
    EXPECT_TRUE(scopes.exit(outer));
}

// lex-lang: an unknown id is a no-op, an outer scope takes all within it along.
TEST(ScopeStack, tolerant_scopes_do_as_lex_lang_does) {
    ScopeStack<> scopes(ArenaOptions{}, ScopeExit::tolerant);
    const ScopeId outer = scopes.enter_request_scope();
    const ScopeId middle = scopes.enter_request_scope();
    const ScopeId inner = scopes.enter_request_scope();
    EXPECT_FALSE(scopes.exit(ScopeId{99}));
    EXPECT_FALSE(scopes.exit(ScopeId{}));
    EXPECT_EQ(scopes.depth(), 3U);
    EXPECT_TRUE(scopes.exit(middle));
    EXPECT_EQ(scopes.depth(), 1U);
    EXPECT_FALSE(scopes.exit(inner)) << "it went with the one around it";
    EXPECT_TRUE(scopes.exit(outer));
    EXPECT_EQ(scopes.refused_count(), 0U);
}

// Row W35: names address any open scope, the innermost of a name first.
TEST(ScopeStack, any_open_scope_can_be_allocated_into_by_name) {
    ScopeStack<> scopes;
    ArenaScope level(scopes, "level");
    const ScopeId first = scopes.enter("frame");
    const ScopeId second = scopes.enter("frame");
    EXPECT_NE(scopes.find("level")->allocate(1000, 16), nullptr);
    EXPECT_EQ(scopes.find("frame"), scopes.find(second));
    EXPECT_NE(scopes.find(first), scopes.find(second));
    scopes.exit(second);
    scopes.exit(first);
    EXPECT_EQ(scopes.find(level.id())->stats().used_bytes, 1008U);
    EXPECT_EQ(scopes.find("camera"), nullptr);
}

// Row W37: memory of an outer scope may not keep what an inner one owns.
TEST(ScopeStack, an_inner_block_may_not_be_held_by_an_outer_one) {
    ScopeStack<> scopes;
    ArenaScope outer(scopes, "outer");
    void* const outer_block = outer.allocate(64, 16);
    ArenaScope inner(scopes, "inner");
    void* const inner_block = inner.allocate(64, 16);
    int elsewhere = 0;
    EXPECT_FALSE(scopes.may_hold(outer_block, inner_block));
    EXPECT_TRUE(scopes.may_hold(inner_block, outer_block));
    EXPECT_TRUE(scopes.may_hold(inner_block, inner_block));
    EXPECT_TRUE(scopes.may_hold(inner_block, &elsewhere));
    EXPECT_FALSE(scopes.may_hold(&elsewhere, inner_block));
}

// lex-lang counts what it allocates outside every scope as a fall back to the heap.
TEST(ScopeStack, outside_every_scope_it_refuses_and_counts) {
    ScopeStack<> scopes;
    EXPECT_EQ(scopes.allocate(10, 16), nullptr);
    EXPECT_EQ(scopes.outside_count(), 1U);
    scopes.enter("any");
    EXPECT_NE(scopes.allocate(10, 16), nullptr);
}

// Row L4: an empty scope maps nothing, and a depth that was reached maps nothing again.
TEST(ScopeStack, empty_and_repeated_scopes_map_nothing) {
    Counting source;
    ScopeStack<SourceRef<Counting>> scopes(ArenaOptions{}, ScopeExit::strict, SourceRef(source));
    for (int round = 0; round < 100; ++round) {
        ArenaScope empty(scopes, "empty");
    }
    EXPECT_EQ(source.map_count(), 0U);
    for (int round = 0; round < 100; ++round) {
        ArenaScope outer(scopes, "outer");
        ArenaScope inner(scopes, "inner");
        ASSERT_NE(outer.allocate(1000, 16), nullptr);
        ASSERT_NE(inner.allocate(1000, 16), nullptr);
    }
    EXPECT_EQ(source.map_count(), 2U);
}

TEST(ScopeStack, too_deep_is_refused_and_everything_goes_back) {
    Counting source;
    {
        ScopeStack<SourceRef<Counting>, 4> scopes(ArenaOptions{}, ScopeExit::strict,
                                                  SourceRef(source));
        for (int level = 0; level < 4; ++level) {
            EXPECT_TRUE(static_cast<bool>(scopes.enter("level")));
            scopes.allocate(100, 16);
        }
        EXPECT_FALSE(static_cast<bool>(scopes.enter("one too many")));
        EXPECT_FALSE(scopes.exit(ScopeId{}));
        EXPECT_EQ(source.mapped_bytes(), 4 * 64_KiB);
    }
    EXPECT_EQ(source.mapped_bytes(), 0U);
}

// Row S44: what was entered and never ended is told by name.
TEST(ScopeStack, open_scopes_are_reported_by_name) {
    ScopeStack<> scopes;
    scopes.enter("build");
    scopes.allocate(100, 16);
    scopes.enter("module");
    std::vector<std::string> seen;
    scopes.visit_open({[](void* context, ScopeId id, const char* name, const ArenaStats& stats) {
                           static_cast<std::vector<std::string>*>(context)->push_back(
                               std::to_string(id.number) + " " + name + " " +
                               std::to_string(stats.used_bytes));
                       },
                       &seen});
    EXPECT_EQ(seen, (std::vector<std::string>{"1 build 112", "2 module 0"}));
}

} // namespace
} // namespace alloclab
