// SPDX-License-Identifier: MIT
#include <alloclab/alloc/pool.hpp>
#include <alloclab/base/rng.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace alloclab {
namespace {

PoolOptions small_region() {
    PoolOptions options;
    options.region_bytes = std::size_t{1} << 30;
    return options;
}

// Threads swap blocks through boxes, so that most are freed by another thread than made them.
class Exchange {
public:
    struct Block {
        void* memory = nullptr;
        std::size_t size = 0;
        unsigned char fill = 0;
    };

    Block swap(std::size_t box, Block block) {
        const std::lock_guard guard(locks_[box % locks_.size()]);
        std::swap(boxes_[box], block);
        return block;
    }
    static constexpr std::size_t box_count = 1024;

private:
    std::array<std::mutex, 16> locks_;
    std::array<Block, box_count> boxes_;
};

bool is_whole(const Exchange::Block& block) {
    const auto* const bytes = static_cast<const unsigned char*>(block.memory);
    for (std::size_t byte_idx = 0; byte_idx < block.size; ++byte_idx) {
        if (bytes[byte_idx] != block.fill) {
            return false;
        }
    }
    return true;
}

std::size_t swap_blocks(PoolCache<>& cache, Exchange& exchange, std::uint64_t seed, int steps) {
    Rng rng(seed);
    std::size_t damaged = 0;
    for (int step = 0; step < steps; ++step) {
        Exchange::Block made;
        made.size = rng.below(std::uint64_t{1} << (1 + rng.below(14)));
        made.memory = cache.allocate(made.size, default_alignment);
        made.fill = static_cast<unsigned char>(rng.next());
        std::memset(made.memory, made.fill, made.size);
        const Exchange::Block got = exchange.swap(rng.below(Exchange::box_count), made);
        if (got.memory != nullptr) {
            damaged += is_whole(got) ? 0 : 1;
            cache.deallocate(got.memory, got.size, default_alignment);
        }
    }
    return damaged;
}

TEST(PoolThreads, blocks_freed_by_other_threads_stay_whole_and_come_back) {
    PoolHeap<> heap(small_region());
    Exchange exchange;
    for (int generation = 0; generation < 3; ++generation) { // threads end, their caches go back
        std::vector<std::thread> threads;
        std::array<std::size_t, 4> damaged{};
        for (std::size_t thread_idx = 0; thread_idx < damaged.size(); ++thread_idx) {
            threads.emplace_back([&, thread_idx] {
                PoolCache<> cache(heap);
                const std::uint64_t seed = static_cast<std::uint64_t>(generation) * 10 + thread_idx;
                damaged[thread_idx] = swap_blocks(cache, exchange, seed, 4000);
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_EQ(damaged, (std::array<std::size_t, 4>{}));
    }
    {
        PoolCache<> cache(heap);
        for (std::size_t box = 0; box < Exchange::box_count; ++box) {
            const Exchange::Block left = exchange.swap(box, {});
            EXPECT_TRUE(is_whole(left));
            cache.deallocate(left.memory, left.size, default_alignment);
        }
    }
    EXPECT_TRUE(heap.check_invariants());
    EXPECT_EQ(heap.stats(0, 0).block_live_bytes, 0U) << "every cache gave its blocks back";
    heap.close();
}

TEST(PoolThreads, a_thread_may_end_while_its_blocks_live) {
    PoolHeap<> heap(small_region());
    void* kept = nullptr;
    std::thread([&] {
        PoolCache<> cache(heap);
        kept = cache.allocate(100, default_alignment);
        std::memset(kept, 9, 100);
    }).join();
    PoolCache<> cache(heap);
    EXPECT_EQ(static_cast<unsigned char*>(kept)[99], 9);
    cache.deallocate(kept);
    cache.flush();
    EXPECT_EQ(cache.stats().block_live_bytes, 0U);
}

TEST(PoolThreads, the_first_requests_of_two_threads_open_one_region) {
    for (int round = 0; round < 20; ++round) {
        PoolHeap<> heap(small_region());
        std::array<void*, 2> blocks{};
        std::thread other([&] {
            PoolCache<> cache(heap);
            blocks[0] = cache.allocate(64, default_alignment);
        });
        {
            PoolCache<> cache(heap);
            blocks[1] = cache.allocate(64, default_alignment);
            other.join();
        }
        EXPECT_TRUE(heap.contains(blocks[0]) && heap.contains(blocks[1]));
        EXPECT_EQ(heap.stats(0, 0).block_live_bytes, 128U);
        heap.close();
    }
}

} // namespace
} // namespace alloclab
