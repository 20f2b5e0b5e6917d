// SPDX-License-Identifier: MIT
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/pool/decay.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/vm/forwarding_source.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/mman.h>

namespace alloclab {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;

TEST(PoolDecay, half_of_what_was_idle_is_owed_after_each_epoch) {
    pool::Decay decay;
    const std::uint64_t second = 1000 * millisecond; // epochs of 125 ms
    EXPECT_EQ(decay.owed(1, second, 8000), 0U) << "the first epoch begins";
    EXPECT_EQ(decay.owed(100 * millisecond, second, 8000), 0U);
    EXPECT_EQ(decay.owed(126 * millisecond, second, 8000), 4000U);
    decay.note_given(4000);
    EXPECT_EQ(decay.owed(130 * millisecond, second, 4000), 0U);
    EXPECT_EQ(decay.owed(252 * millisecond, second, 4000), 2000U);
    decay.note_free(500); // the rest was taken again
    EXPECT_EQ(decay.owed(253 * millisecond, second, 500), 500U) << "owed is never more than idle";
    decay.note_given(500);
    EXPECT_EQ(decay.owed(5000 * millisecond, second, 3000), 0U) << "nothing was idle all the while";
    EXPECT_EQ(decay.owed(5250 * millisecond, second, 3000), 2250U) << "two epochs late: 1/2 + 1/4";
}

// The operating system's pages under a clock that stands until it is moved.
class ClockedSource : public ForwardingSource<ClockedSource, OsPageSource> {
public:
    explicit ClockedSource(const std::atomic<std::uint64_t>& now_ns) : now_ns_(&now_ns) {}
    OsPageSource& upstream() noexcept { return upstream_; }
    std::uint64_t now_ns() noexcept { return now_ns_->load(std::memory_order_relaxed); }

private:
    OsPageSource upstream_;
    const std::atomic<std::uint64_t>* now_ns_;
};
static_assert(TimedSource<ClockedSource> && PurgingSource<ClockedSource>);

PoolOptions small_region() {
    PoolOptions options;
    options.region_bytes = std::size_t{1} << 30;
    return options;
}

std::size_t resident_pages(const std::vector<void*>& blocks, std::size_t block_bytes) {
    std::size_t page_count = 0;
    std::vector<unsigned char> pages(block_bytes / page_bytes);
    for (void* const block : blocks) {
        auto* const first = reinterpret_cast<void*>(
            align_down(reinterpret_cast<std::uintptr_t>(block), page_bytes));
        EXPECT_EQ(mincore(first, block_bytes, pages.data()), 0);
        for (const unsigned char page : pages) {
            page_count += page & 1U;
        }
    }
    return page_count;
}

// Calls that go past the cache, over some time, needing next to no memory.
template <class P> void keep_calling(P& pool, std::atomic<std::uint64_t>& now_ns, int calls) {
    for (int call = 0; call < calls; ++call) {
        now_ns += millisecond;
        pool.deallocate(pool.allocate(20000, 16));
    }
}

class PoolAfterAPeak : public testing::Test {
protected:
    static constexpr std::size_t block_bytes = 64 * 1024;
    static constexpr std::size_t block_count = 512; // 32 MiB

    std::vector<void*> peak(Pool<ClockedSource>& pool) {
        std::vector<void*> blocks;
        for (std::size_t block_idx = 0; block_idx < block_count; ++block_idx) {
            blocks.push_back(pool.allocate(block_bytes, 16));
            std::memset(blocks.back(), 1, block_bytes);
        }
        for (void* const block : blocks) {
            pool.deallocate(block);
        }
        return blocks;
    }
    std::atomic<std::uint64_t> now_ns{millisecond};
};

TEST_F(PoolAfterAPeak, nine_tenths_are_given_back_within_a_second_of_calls) {
    Pool<ClockedSource> pool(small_region(), ClockedSource(now_ns));
    const std::vector<void*> blocks = peak(pool);
    const std::size_t before = resident_pages(blocks, block_bytes);
    EXPECT_EQ(before, block_count * block_bytes / page_bytes);
    keep_calling(pool, now_ns, 1000);
    EXPECT_LE(resident_pages(blocks, block_bytes), before / 10);
    EXPECT_GE(pool.stats().purged_bytes, block_count * block_bytes * 9 / 10);
    EXPECT_TRUE(pool.check_invariants());
}

TEST_F(PoolAfterAPeak, nothing_is_given_back_before_an_epoch_is_over) {
    Pool<ClockedSource> pool(small_region(), ClockedSource(now_ns));
    const std::vector<void*> blocks = peak(pool);
    keep_calling(pool, now_ns, 100);
    EXPECT_EQ(pool.stats().purged_bytes, 0U);
}

TEST_F(PoolAfterAPeak, what_is_used_in_every_epoch_stays) {
    Pool<ClockedSource> pool(small_region(), ClockedSource(now_ns));
    for (int round = 0; round < 100; ++round) { // a peak every 50 ms
        peak(pool);
        keep_calling(pool, now_ns, 50);
    }
    EXPECT_EQ(pool.stats().purged_bytes, 0U);
}

TEST_F(PoolAfterAPeak, all_stays_where_decay_is_off) {
    for (const char* const option : {"decay_ms", "purge"}) {
        PoolOptions options = small_region();
        ASSERT_TRUE(options.set(option, std::string_view(option) == "purge" ? "off" : "0"));
        Pool<ClockedSource> pool(options, ClockedSource(now_ns));
        peak(pool);
        keep_calling(pool, now_ns, 5000);
        EXPECT_EQ(pool.stats().purged_bytes, 0U) << option;
    }
}

TEST(PoolDecay, threads_may_allocate_while_memory_is_given_back) {
    std::atomic<std::uint64_t> now_ns{millisecond};
    PoolHeap<ClockedSource> heap(small_region(), ClockedSource(now_ns));
    std::array<std::thread, 3> threads;
    std::atomic<std::size_t> damaged{0};
    for (std::size_t thread_idx = 0; thread_idx < threads.size(); ++thread_idx) {
        threads[thread_idx] = std::thread([&, thread_idx] {
            PoolCache<ClockedSource> cache(heap);
            Rng rng(thread_idx);
            for (int round = 0; round < 30; ++round) {
                std::vector<unsigned char*> blocks;
                for (int step = 0; step < 100; ++step) {
                    const std::size_t size = 1 + rng.below(50000);
                    blocks.push_back(static_cast<unsigned char*>(cache.allocate(size, 16)));
                    std::memset(blocks.back(), static_cast<int>(thread_idx), size);
                    now_ns += 3 * millisecond;
                }
                for (unsigned char* const block : blocks) {
                    damaged += *block == thread_idx ? 0 : 1;
                    cache.deallocate(block);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(damaged, 0U);
    EXPECT_TRUE(heap.check_invariants());
    EXPECT_GT(heap.stats(0, 0).purged_bytes, 0U);
    heap.close();
}

} // namespace
} // namespace alloclab
