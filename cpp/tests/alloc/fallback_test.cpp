// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/fallback.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <gtest/gtest.h>

namespace alloclab {
namespace {

using Small = LimitedSource<OsPageSource>;

TEST(fallback, goes_on_to_the_second_when_the_first_has_no_more) {
    Small source(65536);
    Arena<SourceRef<Small>> first({}, SourceRef<Small>(source));
    Pool<> second;
    Fallback<Arena<SourceRef<Small>>&, Pool<>&> both(from_children, first, second);
    void* const inside = both.allocate(40000, 16);
    void* const outside = both.allocate(40000, 16);
    EXPECT_TRUE(first.owns(inside) && !second.owns(inside));
    EXPECT_TRUE(second.owns(outside));
    EXPECT_TRUE(both.owns(inside) && both.owns(outside));
    both.deallocate(outside, 40000, 16);
    both.deallocate(inside, 40000, 16);
    EXPECT_EQ(both.allocate(40000, 16), inside) << "the first has room again";
}

TEST(fallback, ends_where_nothing_is) {
    Fallback<Freelist<>, Null> alone;
    EXPECT_NE(alone.allocate(64, 16), nullptr);
    EXPECT_EQ(alone.allocate(65, 16), nullptr);
}

TEST(fallback, frees_and_resizes_where_the_block_is) {
    Fallback<Freelist<>, Pool<>> both;
    void* const first = both.allocate(30, 16);
    void* const second = both.allocate(100, 16);
    EXPECT_TRUE(both.resize(first, 30, 64, 16));
    EXPECT_FALSE(both.resize(first, 64, 65, 16));
    EXPECT_TRUE(both.resize(second, 100, 101, 16));
    EXPECT_EQ(both.usable_size(first), 64U);
    both.deallocate(first);
    both.deallocate(second);
    EXPECT_EQ(both.allocate(10, 16), first);
    EXPECT_EQ(both.secondary().allocate(100, 16), second);
}

template <class Primary>
concept CanComeFirst = requires {
    typename Fallback<Primary, Null>;
};

TEST(fallback, wants_a_first_that_knows_its_own) {
    struct Blind {
        void* allocate(std::size_t, std::size_t) noexcept { return nullptr; }
        void deallocate(void*, std::size_t, std::size_t) noexcept {}
    };
    static_assert(Allocator<Blind> && !Owning<Blind>);
    EXPECT_TRUE(CanComeFirst<Arena<>>);
    EXPECT_FALSE(CanComeFirst<Blind>);
    static_assert(!Owning<Fallback<Arena<>, Blind>> && !Resettable<Fallback<Arena<>, Blind>>);
    static_assert(Owning<Fallback<Arena<>, Pool<>>>);
}

TEST(fallback, takes_options_by_their_path) {
    Fallback<Freelist<>, Arena<>>::Options options;
    EXPECT_TRUE(options.set("primary.block_bytes", "32"));
    EXPECT_TRUE(options.set("secondary.growth", "1.5"));
    EXPECT_EQ(options.primary.block_bytes, 32U);
    EXPECT_FALSE(options.set("block_bytes", "32"));
    EXPECT_FALSE(options.set("secondary.block_bytes", "32"));
}

} // namespace
} // namespace alloclab
