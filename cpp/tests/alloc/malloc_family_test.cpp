// SPDX-License-Identifier: MIT
// What C and glibc promise of malloc and its family. Run on the C library's own, and with each of
// the lab's libraries preloaded: the calls here are whoever's the process has.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::size_t too_much = static_cast<std::size_t>(PTRDIFF_MAX) + 1;

// Not known to the compiler, which would otherwise answer for the library.
template <class Value> Value opaque(Value value) {
    asm volatile("" : "+r"(value));
    return value;
}

bool is_filled(const void* block, std::size_t size, unsigned char fill) {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    for (std::size_t byte_idx = 0; byte_idx < size; ++byte_idx) {
        if (bytes[byte_idx] != fill) {
            return false;
        }
    }
    return true;
}

TEST(MallocFamily, malloc_aligns_to_16_and_tells_a_usable_size) {
    for (std::size_t size = 0; size < 100000; size = size * 5 / 4 + 1) {
        void* const block = opaque(std::malloc(size));
        ASSERT_NE(block, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
        const std::size_t usable = ::malloc_usable_size(block);
        ASSERT_GE(usable, size);
        std::memset(block, 0xEE, usable);
        std::free(block);
    }
    EXPECT_EQ(::malloc_usable_size(nullptr), 0U);
}

TEST(MallocFamily, two_blocks_of_nothing_differ) {
    void* const first = opaque(std::malloc(0));
    void* const second = opaque(std::malloc(0));
    EXPECT_NE(first, second);
    std::free(first);
    std::free(second);
}

TEST(MallocFamily, what_is_too_large_is_null_and_enomem) {
    for (const std::size_t size : {too_much, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096}) {
        errno = 0;
        EXPECT_EQ(opaque(std::malloc(opaque(size))), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        errno = 0;
        EXPECT_EQ(opaque(std::calloc(opaque(size), 1)), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        void* const block = std::malloc(10);
        errno = 0;
        EXPECT_EQ(opaque(std::realloc(block, opaque(size))), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        std::free(block); // still ours
        errno = 0;
        EXPECT_EQ(opaque(::pvalloc(opaque(size))), nullptr);
        EXPECT_EQ(errno, ENOMEM);
    }
}

TEST(MallocFamily, products_that_overflow_are_null_and_enomem) {
    const std::size_t half = opaque(SIZE_MAX / 2 + 1);
    errno = 0;
    EXPECT_EQ(opaque(std::calloc(half, 2)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(opaque(::reallocarray(nullptr, half, 2)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
}

TEST(MallocFamily, calloc_reads_as_zero_where_memory_was_used_before) {
    for (const std::size_t size : {1U, 16U, 17U, 40U, 64U, 65U, 1000U, 5000U, 9000U, 200000U}) {
        for (int round = 0; round < 20; ++round) {
            void* const block = opaque(std::calloc(1, size));
            ASSERT_TRUE(is_filled(block, size, 0)) << size;
            std::memset(block, 0xFF, size);
            std::free(block);
        }
    }
}

TEST(MallocFamily, realloc_keeps_bytes_up_and_down_the_sizes) {
    auto* block = static_cast<unsigned char*>(opaque(std::malloc(1)));
    block[0] = 3;
    std::size_t size = 1;
    for (const std::size_t next : {16U, 24U, 200U, 1100U, 1U << 13, 1U << 16, 3U << 20, 12U << 20,
                                   2U << 20, 70000U, 8192U, 900U, 40U, 2U}) {
        block = static_cast<unsigned char*>(opaque(std::realloc(block, next)));
        ASSERT_NE(block, nullptr);
        ASSERT_TRUE(is_filled(block, std::min(size, next), 3)) << size << " to " << next;
        std::memset(block, 3, next);
        size = next;
    }
    EXPECT_EQ(opaque(std::realloc(block, 0)), nullptr) << "glibc frees";
    void* const fresh = opaque(std::realloc(nullptr, 10));
    EXPECT_NE(fresh, nullptr);
    std::free(fresh);
}

TEST(MallocFamily, aligned_blocks_are_aligned_whole_and_freed_like_others) {
    for (std::size_t alignment = 8; alignment <= 1U << 20; alignment *= 2) {
        for (const std::size_t size : {0U, 1U, 100U, 5000U, 100000U}) {
            void* block = nullptr;
            ASSERT_EQ(::posix_memalign(&block, alignment, size), 0);
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
            ASSERT_GE(::malloc_usable_size(block), size);
            std::memset(block, 1, size);
            void* const other = opaque(::memalign(alignment, size));
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(other) % alignment, 0U);
            std::memset(other, 2, size);
            ASSERT_TRUE(is_filled(block, size, 1));
            block = opaque(std::realloc(block, size + 1));
            ASSERT_TRUE(is_filled(block, size, 1));
            std::free(block);
            std::free(other);
        }
    }
}

TEST(MallocFamily, an_alignment_beyond_reason_spoils_nothing_for_blocks_of_nothing) {
    void* const huge = ::memalign(std::size_t{1} << 40, 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(huge) % (std::size_t{1} << 40), 0U);
    std::free(huge);
    void* const small = std::malloc(0);
    EXPECT_NE(small, nullptr);
    std::free(small);
}

TEST(MallocFamily, posix_memalign_returns_its_error_and_keeps_errno_and_the_pointer) {
    void* block = &block;
    errno = 99;
    EXPECT_EQ(::posix_memalign(&block, opaque(std::size_t{24}), 8), EINVAL);
    EXPECT_EQ(::posix_memalign(&block, opaque(std::size_t{4}), 8), EINVAL);
    EXPECT_EQ(::posix_memalign(&block, opaque(std::size_t{0}), 8), EINVAL);
    EXPECT_EQ(errno, 99);
    EXPECT_EQ(::posix_memalign(&block, 64, opaque(too_much)), ENOMEM);
    EXPECT_EQ(errno, ENOMEM) << "glibc sets it too";
    EXPECT_EQ(block, &block);
}

TEST(MallocFamily, page_calls_give_whole_pages) {
    void* const page = opaque(::valloc(1));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(page) % 4096, 0U);
    void* const pages = opaque(::pvalloc(4097));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages) % 4096, 0U);
    EXPECT_GE(::malloc_usable_size(pages), 8192U);
    std::free(page);
    std::free(pages);
    void* const aligned = opaque(std::aligned_alloc(256, 512));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 256, 0U);
    std::free(aligned);
}

TEST(MallocFamily, free_keeps_errno) {
    std::vector<void*> blocks;
    for (const std::size_t size : {8U, 5000U, 100000U, 64U << 20}) {
        blocks.push_back(opaque(std::malloc(size)));
    }
    errno = 77;
    for (void* const block : blocks) {
        std::free(block);
    }
    std::free(nullptr);
    EXPECT_EQ(errno, 77);
}

TEST(MallocFamily, threads_free_what_others_made) {
    constexpr std::size_t box_count = 512;
    static std::array<std::atomic<unsigned char*>, box_count> boxes;
    std::atomic<int> damaged{0};
    for (int generation = 0; generation < 3; ++generation) {
        std::vector<std::thread> threads;
        for (unsigned thread_idx = 0; thread_idx < 4; ++thread_idx) {
            threads.emplace_back([&, state = thread_idx * 7919U + 1]() mutable {
                for (int step = 0; step < 20000; ++step) {
                    state = state * 1664525U + 1013904223U;
                    const std::size_t size = 16 + (state >> 8) % (1U << (4 + (state >> 3) % 10));
                    auto* const made = static_cast<unsigned char*>(std::malloc(size));
                    made[0] = static_cast<unsigned char>(size);
                    std::memcpy(made + 1, &size, sizeof size);
                    unsigned char* const got = boxes[(state >> 16) % box_count].exchange(made);
                    if (got != nullptr) {
                        std::size_t got_size = 0;
                        std::memcpy(&got_size, got + 1, sizeof got_size);
                        damaged += got[0] != static_cast<unsigned char>(got_size);
                        std::free(got);
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    for (auto& box : boxes) {
        std::free(box.exchange(nullptr));
    }
    EXPECT_EQ(damaged, 0);
}

TEST(MallocFamily, a_child_forked_amid_allocating_threads_can_allocate) {
    std::atomic<bool> is_done{false};
    std::vector<std::thread> threads;
    for (int thread_idx = 0; thread_idx < 2; ++thread_idx) {
        threads.emplace_back([&] {
            while (!is_done) {
                std::vector<void*> blocks;
                for (std::size_t size = 16; size < 20000; size = size * 3 / 2) {
                    blocks.push_back(std::malloc(size));
                }
                for (void* const block : blocks) {
                    std::free(block);
                }
            }
        });
    }
    int failed = 0;
    for (int round = 0; round < 20; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20); // a lock left taken would hang it
            for (std::size_t size = 16; size < 200000; size *= 2) {
                std::free(opaque(std::malloc(size)));
            }
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        failed += status != 0;
    }
    is_done = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failed, 0);
}

// Of the three kinds of thread each would wait for the next one: for a stream, for the malloc, for
// the list of streams.
TEST(MallocFamily, a_fork_waits_for_no_thread_that_reads_a_stream_while_all_are_flushed) {
    std::atomic<bool> is_done{false};
    std::vector<std::thread> threads;
    for (int thread_idx = 0; thread_idx < 3; ++thread_idx) {
        threads.emplace_back([&] {
            while (!is_done) {
                std::FILE* const stream = std::fopen("/proc/self/maps", "r");
                char* line = nullptr;
                std::size_t capacity = 0;
                while (::getline(&line, &capacity, stream) > 0) {
                    std::free(std::exchange(line, nullptr));
                    capacity = 0;
                }
                std::free(line);
                std::fclose(stream);
            }
        });
    }
    threads.emplace_back([&] {
        while (!is_done) {
            std::fflush(nullptr);
        }
    });
    int failed = 0;
    // No more: under a malloc that takes nothing back the heap, and so each fork, grows meanwhile.
    for (int round = 0; round < 100; ++round) {
        ::alarm(60); // instead of hanging
        const pid_t child = ::fork();
        if (child == 0) {
            std::FILE* const stream = std::fopen("/dev/null", "w");
            std::fputs("the list of streams is free", stream);
            ::_exit(std::fclose(stream));
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        failed += status != 0;
    }
    is_done = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    ::alarm(0);
    EXPECT_EQ(failed, 0);
}

} // namespace
