// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/peers/jemalloc_arena.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <vector>

namespace alloclab {
namespace {

TEST(JemallocArena, a_reset_gives_back_what_was_allocated_cached_or_not) {
    for (const bool has_cache : {true, false}) {
        JemallocArena arena({.library = {}, .has_cache = has_cache});
        for (int round = 0; round < 20; ++round) {
            for (std::size_t block_idx = 0; block_idx < 2000; ++block_idx) {
                void* const block = arena.allocate(block_idx * 7, 16);
                ASSERT_NE(block, nullptr);
                std::memset(block, 1, block_idx * 7);
                if (block_idx % 3 == 0) {
                    arena.deallocate(block, block_idx * 7, 16);
                }
            }
            EXPECT_GT(arena.stats().block_live_bytes, 8_MiB);
            arena.reset();
            EXPECT_EQ(arena.stats().block_live_bytes, 0U);
        }
        // What jemalloc lets decay over time is still there: half of all the rounds is far more.
        EXPECT_LT(arena.stats().committed_bytes, 140_MiB) << "20 rounds of 14 MB did not pile up";
    }
}

TEST(JemallocArena, two_of_them_do_not_share_blocks) {
    JemallocArena first;
    JemallocArena second;
    void* const kept = second.allocate(100, 16);
    std::memset(kept, 7, 100);
    for (int block_idx = 0; block_idx < 100; ++block_idx) {
        first.allocate(100, 16);
    }
    first.reset();
    for (int block_idx = 0; block_idx < 100; ++block_idx) {
        std::memset(first.allocate(100, 16), 1, 100);
    }
    EXPECT_EQ(static_cast<char*>(kept)[0], 7);
    EXPECT_EQ(static_cast<char*>(kept)[99], 7);
    second.deallocate(kept, 100, 16);
}

TEST(JemallocArena, resizes_a_large_block_where_it_stands_and_frees_it_by_its_new_size) {
    JemallocArena arena;
    void* const block = arena.allocate(8_MiB, 16);
    EXPECT_TRUE(arena.resize(block, 8_MiB, 1_MiB, 16));
    EXPECT_EQ(arena.usable_size(block), 1_MiB);
    arena.deallocate(block, 1_MiB, 16);
    void* const small = arena.allocate(64, 16);
    EXPECT_FALSE(arena.resize(small, 64, 16, 16)) << "another class: a sized free would miss it";
    EXPECT_TRUE(arena.resize(small, 64, 60, 16));
    arena.deallocate(small, 60, 16);
}

TEST(JemallocArena, leaves_the_malloc_of_the_process_alone) {
    JemallocArena arena;
    Dl_info provider{};
    ASSERT_NE(::dladdr(reinterpret_cast<void*>(&std::malloc), &provider), 0);
    EXPECT_EQ(std::strstr(provider.dli_fname, "jemalloc"), nullptr) << provider.dli_fname;
}

TEST(JemallocArena, says_what_it_looked_for_when_there_is_no_library) {
    JemallocArenaOptions options;
    ASSERT_TRUE(options.set("library", "/nowhere/libjemalloc.so.2"));
    try {
        JemallocArena arena(options);
        FAIL() << "no library there";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("jemalloc_arena"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("/nowhere/libjemalloc.so.2"), std::string::npos);
    }
}

TEST(JemallocArenaOptions, take_what_they_understand_and_nothing_else) {
    JemallocArenaOptions options;
    EXPECT_TRUE(options.set("cache", "off"));
    EXPECT_FALSE(options.has_cache);
    EXPECT_FALSE(options.set("cache", "maybe"));
    EXPECT_FALSE(options.set("library", ""));
    EXPECT_FALSE(options.set("library", std::string(2000, 'x')));
    EXPECT_FALSE(options.set("arena", "1"));
    EXPECT_FALSE(options.library.is_set());
}

} // namespace
} // namespace alloclab
