// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/peers/mimalloc_heap.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <optional>
#include <thread>

namespace alloclab {
namespace {

TEST(MimallocHeap, a_reset_ends_its_blocks_and_no_others) {
    MimallocHeap first;
    MimallocHeap second;
    auto* const kept = static_cast<char*>(second.allocate(100, 16));
    std::memset(kept, 7, 100);
    for (int round = 0; round < 20; ++round) {
        for (std::size_t block_idx = 0; block_idx < 2000; ++block_idx) {
            void* const block = first.allocate(block_idx, 16);
            ASSERT_NE(block, nullptr);
            std::memset(block, 1, block_idx);
        }
        EXPECT_GT(first.stats().committed_bytes, 1_MiB);
        first.reset();
        EXPECT_EQ(first.stats().committed_bytes, 0U);
    }
    EXPECT_TRUE(second.owns(kept));
    EXPECT_FALSE(first.owns(kept));
    EXPECT_EQ(kept[0], 7);
    EXPECT_EQ(kept[99], 7);
}

TEST(MimallocHeap, another_thread_may_free_but_gets_no_block) {
    MimallocHeap heap;
    void* const block = heap.allocate(100, 16);
    std::thread other([&] {
        EXPECT_EQ(heap.allocate(100, 16), nullptr);
        EXPECT_EQ(heap.allocate_zeroed(100, 64), nullptr);
        heap.reset(); // does nothing
        heap.deallocate(block, 100, 16);
    });
    other.join();
    EXPECT_EQ(heap.stats().refused_calls, 3U);
    EXPECT_NE(heap.allocate(100, 16), nullptr);
}

// pthread_t is given to the next thread; a heap is not.
TEST(MimallocHeap, outlives_its_thread_without_a_call_into_the_heap_that_ended) {
    std::optional<MimallocHeap> heap;
    void* block = nullptr;
    std::thread([&] {
        heap.emplace();
        block = heap->allocate(100, 16);
    }).join();
    ASSERT_NE(block, nullptr);
    for (int next = 0; next < 4; ++next) {
        std::thread([&] {
            EXPECT_EQ(heap->allocate(100, 16), nullptr);
            EXPECT_FALSE(heap->owns(block));
            heap->reset();
        }).join();
    }
    EXPECT_EQ(heap->stats().refused_calls, 8U);
    heap->deallocate(block, 100, 16);
}

TEST(MimallocHeap, leaves_the_malloc_of_the_process_alone) {
    MimallocHeap heap;
    Dl_info provider{};
    ASSERT_NE(::dladdr(reinterpret_cast<void*>(&std::malloc), &provider), 0);
    EXPECT_EQ(std::strstr(provider.dli_fname, "mimalloc"), nullptr) << provider.dli_fname;
}

TEST(MimallocHeap, says_what_it_looked_for_when_there_is_no_library) {
    MimallocHeapOptions options;
    EXPECT_FALSE(options.set("cache", "on"));
    ASSERT_TRUE(options.set("library", "/nowhere/libmimalloc.so"));
    try {
        MimallocHeap heap(options);
        FAIL() << "no library there";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("mimalloc_heap"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("/nowhere/libmimalloc.so"), std::string::npos);
    }
}

} // namespace
} // namespace alloclab
