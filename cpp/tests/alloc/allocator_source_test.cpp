// SPDX-License-Identifier: MIT
#include <alloclab/alloc/allocator_source.hpp>
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/slab.hpp>
#include <alloclab/alloc/tlsf.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <optional>
#include <vector>

namespace alloclab {
namespace {

using TaskArena = Arena<CountingSource<OsPageSource>>;
using PagesOfArena = AllocatorSource<TaskArena>;

// Row R66: a pool that can be used again while it is hot, and still goes as a whole.
TEST(AllocatorSource, a_pool_on_an_arena_is_reused_while_hot) {
    TaskArena arena;
    Slab<PagesOfArena> environments(SlabOptions{}, PagesOfArena(arena));
    void* const first = environments.allocate(64, 16);
    ASSERT_NE(first, nullptr);
    EXPECT_TRUE(arena.owns(first));
    environments.deallocate(first, 64, 16);
    const std::size_t committed_bytes = arena.stats().committed_bytes;
    for (int use = 0; use < 10'000; ++use) {
        void* const block = environments.allocate(64, 16);
        std::memset(block, use, 64);
        environments.deallocate(block, 64, 16);
    }
    EXPECT_EQ(arena.stats().committed_bytes, committed_bytes);
}

TEST(AllocatorSource, what_stands_on_an_arena_ends_with_it) {
    TaskArena arena;
    for (int task = 0; task < 3; ++task) {
        alignas(Tlsf<PagesOfArena>) std::byte place[sizeof(Tlsf<PagesOfArena>)];
        auto* const pool = new (place) Tlsf<PagesOfArena>(TlsfOptions{}, PagesOfArena(arena));
        for (std::size_t block_idx = 0; block_idx < 2000; ++block_idx) {
            void* const block = pool->allocate(block_idx, 16);
            ASSERT_NE(block, nullptr);
            std::memset(block, 1, block_idx);
        }
        EXPECT_GT(arena.stats().committed_bytes, std::size_t{1} << 20);
        arena.reset(ResetMode::free_all); // and never a word to the pool
        EXPECT_EQ(arena.source().mapped_bytes(), 0U);
    }
}

TEST(AllocatorSource, a_refusal_below_is_a_refusal_above) {
    Arena<LimitedSource<OsPageSource>> arena({}, LimitedSource<OsPageSource>(64 << 10));
    using Pages = AllocatorSource<decltype(arena)>;
    Tlsf<Pages> pool(TlsfOptions{}, Pages(arena));
    EXPECT_EQ(pool.allocate(std::size_t{1} << 20, 16), nullptr);
    EXPECT_EQ(pool.stats().reserved_bytes, 0U);
}

} // namespace
} // namespace alloclab
