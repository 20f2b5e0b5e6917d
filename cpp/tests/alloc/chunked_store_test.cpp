// SPDX-License-Identifier: MIT
// Row R74: append-only, addresses and ids stable.
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/chunked_store.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/vm/failing_source.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace alloclab {
namespace {

TEST(ChunkedStore, ids_lead_to_items_whose_addresses_never_change) {
    Arena<> arena;
    ChunkedStore<std::uint64_t, Arena<>> store(arena);
    std::vector<const std::uint64_t*> addresses;
    for (std::uint64_t value = 0; value < 10000; ++value) {
        ASSERT_EQ(store.append(value * 3), value) << "ids count up";
        addresses.push_back(&store[value]);
    }
    for (std::uint64_t id = 0; id < 10000; ++id) {
        ASSERT_EQ(&store[id], addresses[id]);
        ASSERT_EQ(store[id], id * 3);
    }
    // Chunks of 64, 128 ... 8192 hold 16320 items; seven of them hold 8128.
    EXPECT_EQ(store.chunk_count(), 8U);
}

TEST(ChunkedStore, abandons_nothing_under_an_arena) {
    Arena<> arena;
    ChunkedStore<std::uint64_t, Arena<>, 16> store(arena);
    for (std::uint64_t value = 0; value < 16 * 15; ++value) { // four chunks, all full
        store.append(value);
        arena.allocate(16, 16); // an array could not grow in place
    }
    EXPECT_EQ(arena.stats().used_bytes, 16 * 15 * (sizeof(std::uint64_t) + 16));
}

TEST(ChunkedStore, gives_its_chunks_back) {
    Pool<> pool;
    {
        ChunkedStore<int, Pool<>> store(pool);
        for (int value = 0; value < 1000; ++value) {
            store.append(value);
        }
        EXPECT_GT(pool.stats().block_live_bytes, 0U);
    }
    EXPECT_EQ(pool.stats().block_live_bytes, 0U);
}

TEST(ChunkedStore, a_refused_append_changes_nothing) { // row R44
    FailingSource<OsPageSource> source(1, 2);
    ArenaOptions options;
    options.set_preset("page_chain");
    options.initial_bytes = options.max_chunk_bytes = 4096;
    using A = Arena<SourceRef<FailingSource<OsPageSource>>>;
    A arena(options, SourceRef(source));
    ChunkedStore<std::uint64_t, A> store(arena);
    std::size_t appended = 0;
    while (store.append(appended) == appended) {
        ++appended;
    }
    EXPECT_EQ(store.size(), appended);
    EXPECT_EQ(store[appended - 1], appended - 1);
    while (store.append(appended) == store.no_id) {
    }
    EXPECT_EQ(store.size(), appended + 1) << "the source has recovered";
}

} // namespace
} // namespace alloclab
