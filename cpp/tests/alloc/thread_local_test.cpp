// SPDX-License-Identifier: MIT
#include <support/live_blocks.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/locked.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/stats.hpp>
#include <alloclab/alloc/thread_local.hpp>
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
    options.region_bytes = std::size_t{1} << 28;
    return options;
}

struct Block {
    void* memory = nullptr;
    std::size_t size = 0;
    unsigned char fill = 0;
    bool is_whole() const { return LiveBlocks::check(memory, size, fill).empty(); }
};

// Threads swap blocks through boxes, so that most are freed by another thread than made them.
template <class A> std::size_t exchange(A& allocator, std::size_t thread_count, int steps) {
    std::array<Block, 256> boxes;
    std::mutex lock;
    std::atomic<std::size_t> damaged{0};
    const auto run = [&](std::uint64_t seed) {
        Rng rng(seed);
        for (int step = 0; step < steps; ++step) {
            Block block;
            block.size = rng.below(std::uint64_t{1} << (1 + rng.below(12)));
            block.memory = allocator.allocate(block.size, default_alignment);
            block.fill = static_cast<unsigned char>(rng.next());
            std::memset(block.memory, block.fill, block.size);
            {
                const std::lock_guard guard(lock);
                std::swap(boxes[rng.below(boxes.size())], block);
            }
            if (block.memory != nullptr) {
                damaged += !block.is_whole();
                allocator.deallocate(block.memory, block.size, default_alignment);
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t thread_idx = 0; thread_idx < thread_count; ++thread_idx) {
        threads.emplace_back(run, thread_idx + 1);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const Block& block : boxes) {
        if (block.memory != nullptr) {
            damaged += !block.is_whole();
            allocator.deallocate(block.memory, block.size, default_alignment);
        }
    }
    return damaged;
}

using PerThread = ThreadLocal<Pool<>>;

PerThread::Options per_thread(ThreadExit on_exit = ThreadExit::keep) {
    PerThread::Options options;
    options.upstream = small_region();
    options.on_exit = on_exit;
    return options;
}

template <class Function> void in_a_thread(Function&& function) {
    std::thread(std::forward<Function>(function)).join();
}

// Row S50: each thread has its own, without asking.
TEST(thread_local_allocator, gives_each_thread_its_own) {
    PerThread allocator(per_thread());
    void* mine = allocator.allocate(100, 16);
    void* theirs = nullptr;
    in_a_thread([&] { theirs = allocator.allocate(100, 16); });
    EXPECT_EQ(allocator.slot_count(), 2U);
    EXPECT_NE(mine, theirs);
    allocator.deallocate(theirs, 100, 16);
    allocator.deallocate(mine, 100, 16);
}

TEST(thread_local_allocator, blocks_freed_by_another_thread_go_back_to_their_owner) {
    PerThread allocator(per_thread());
    void* const first = allocator.allocate(100, 16);
    void* const second = allocator.allocate(100, 16);
    in_a_thread([&] {
        allocator.deallocate(first, 100, 16);
        allocator.deallocate(second, 100, 16);
    });
    EXPECT_EQ(allocator.slot_count(), 1U) << "a thread that only frees needs none";
    void* const again = allocator.allocate(100, 16);
    EXPECT_TRUE(again == first || again == second);
    allocator.deallocate(again, 100, 16);
}

TEST(thread_local_allocator, a_new_thread_takes_over_what_an_old_one_left) {
    PerThread allocator(per_thread());
    void* kept = nullptr;
    for (int round = 0; round < 5; ++round) {
        in_a_thread([&] {
            void* const block = allocator.allocate(64, 16);
            allocator.deallocate(block, 64, 16);
            kept = kept == nullptr ? allocator.allocate(200, 16) : kept;
        });
    }
    EXPECT_EQ(allocator.slot_count(), 1U);
    std::memset(kept, 1, 200);
    allocator.deallocate(kept, 200, 16); // its thread is gone; its allocator is not
}

TEST(thread_local_allocator, drains_and_gives_memory_back_at_the_end_of_a_thread_if_told) {
    for (const ThreadExit on_exit : {ThreadExit::keep, ThreadExit::drain}) {
        PerThread allocator(per_thread(on_exit));
        void* block = nullptr;
        in_a_thread([&] { block = allocator.allocate(1 << 20, 16); });
        const std::size_t held = allocator.stats().reserved_bytes;
        EXPECT_GT(held, std::size_t{1} << 20);
        allocator.deallocate(block, 1 << 20, 16); // the last one of an allocator without a thread
        const std::size_t left = allocator.stats().reserved_bytes;
        if (on_exit == ThreadExit::drain) {
            EXPECT_LT(left, std::size_t{1} << 20);
        } else {
            EXPECT_EQ(left, held);
        }
    }
}

TEST(thread_local_allocator, several_in_one_thread_are_told_apart) {
    PerThread first(per_thread());
    PerThread second(per_thread());
    void* const one = first.allocate(100, 16);
    void* const two = second.allocate(100, 16);
    first.deallocate(one, 100, 16); // while the thread was last at the second
    second.deallocate(two, 100, 16);
    EXPECT_EQ(first.allocate(100, 16), one);
    EXPECT_EQ(second.allocate(100, 16), two);
    EXPECT_EQ(first.slot_count() + second.slot_count(), 2U);
}

TEST(thread_local_allocator, resizes_its_own_blocks_only) {
    ThreadLocal<Arena<>> allocator;
    void* const block = allocator.allocate(100, 16);
    EXPECT_TRUE(allocator.resize(block, 100, 300, 16));
    EXPECT_EQ(allocator.usable_size(block), 300U);
    in_a_thread([&] { EXPECT_FALSE(allocator.resize(block, 300, 400, 16)); });
    allocator.deallocate(block, 300, 16);
    EXPECT_EQ(allocator.allocate(10, 16), block);
}

TEST(thread_local_allocator, survives_threads_that_swap_their_blocks) {
    for (const ThreadExit on_exit : {ThreadExit::keep, ThreadExit::drain}) {
        PerThread allocator(per_thread(on_exit));
        EXPECT_EQ(exchange(allocator, 4, 4000), 0U);
        EXPECT_EQ(exchange(allocator, 3, 1000), 0U) << "threads that take over";
        EXPECT_LE(allocator.slot_count(), 4U);
    }
}

// One thread ends while another frees its blocks: whoever comes last frees them.
TEST(thread_local_allocator, loses_no_block_between_an_ending_thread_and_a_free) {
    using Counted = ThreadLocal<Stats<Pool<>>>;
    Counted::Options options;
    options.upstream.upstream = small_region();
    options.on_exit = ThreadExit::drain;
    for (int round = 0; round < 200; ++round) {
        Counted allocator(options);
        std::atomic<void*> handed{nullptr};
        std::thread owner([&] { handed.store(allocator.allocate(50, 16)); });
        void* block = nullptr;
        while ((block = handed.load()) == nullptr) {
        }
        allocator.deallocate(block, 50, 16);
        owner.join();
        // Whichever came last: a new thread's allocator has nothing left that lives.
        in_a_thread([&] { allocator.deallocate(allocator.allocate(1, 16), 1, 16); });
        std::uint64_t used_bytes = 0;
        ASSERT_EQ(allocator.slot_count(), 1U);
        allocator.for_each_thread(
            [&](const Stats<Pool<>>& each) { used_bytes += each.stats().used_bytes; });
        ASSERT_EQ(used_bytes, 0U);
    }
}

TEST(thread_local_allocator, takes_options_by_their_path) {
    PerThread::Options options;
    EXPECT_TRUE(options.set("on_exit", "drain"));
    EXPECT_EQ(options.on_exit, ThreadExit::drain);
    EXPECT_TRUE(options.set("on_exit", "keep"));
    EXPECT_FALSE(options.set("on_exit", "drop"));
    EXPECT_TRUE(options.set("upstream.purge", "off"));
}

// Row R28: one backing for all threads.
TEST(locked, lets_threads_share_one_allocator) {
    Locked<Pool<>> spinning(Locked<Pool<>>::Options{{}, small_region()});
    EXPECT_EQ(exchange(spinning, 4, 3000), 0U);
    Locked<Pool<>, MutexLock> sleeping(Locked<Pool<>>::Options{{}, small_region()});
    EXPECT_EQ(exchange(sleeping, 4, 3000), 0U);
    EXPECT_TRUE(spinning.owns(spinning.allocate(5, 16)));
}

TEST(locked, counts_right_when_threads_meet) {
    Locked<Stats<Pool<>>> allocator(Locked<Stats<Pool<>>>::Options{{}, {{}, small_region()}});
    EXPECT_EQ(exchange(allocator, 4, 1000), 0U);
    const StatsCounts counts = allocator.stats();
    EXPECT_EQ(counts.allocate_ops, 4000U);
    EXPECT_EQ(counts.deallocate_ops, 4000U);
    EXPECT_EQ(counts.used_bytes, 0U);
}

TEST(locked, says_that_it_is_safe) {
    static_assert(Locked<Pool<>>::is_thread_safe && PerThread::is_thread_safe);
    static_assert(!Marking<Locked<Arena<>>>); // another thread's blocks would end too
    static_assert(!Owning<PerThread> && UnsizedDeallocating<PerThread>);
    SUCCEED();
}

} // namespace
} // namespace alloclab
