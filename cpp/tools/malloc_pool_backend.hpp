// SPDX-License-Identifier: MIT
#pragma once

// The malloc family on the lab's Pool: one heap, a cache a thread. One file of a library includes
// this: the heap is its own.

#include "malloc_environment.hpp"
#include "malloc_fork.hpp"

#include <alloclab/alloc/clear.hpp>
#include <alloclab/alloc/malloc_face.hpp>
#include <alloclab/alloc/option_list.hpp>
#include <alloclab/alloc/pool.hpp>

#include <pthread.h>
#include <signal.h>
#include <time.h>

namespace {

using namespace alloclab;

constinit const char* library_name = "liballoclab_malloc_pool";

std::uint64_t background_ns = 0; // how often the background thread looks; 0 without one

void read_options(PoolOptions& options) noexcept {
    char buffer[512];
    const auto bad_item = set_options(options, read_malloc_options(buffer, sizeof buffer));
    if (!bad_item.empty()) {
        report_bad_option(library_name, bad_item);
    }
    if (options.background) {
        background_ns = options.decay_ms * 1'000'000 / pool::Decay::epochs_per_decay;
    }
}

void watch_thread(pool::ThreadCache&);

// Initial-exec thread storage is what makes this worth preloading: no call to find it. It is small,
// because it is part of every thread's stack; the slots are in the heap.
constinit PoolHeap<OsPageSource> heap({}, {}, read_options);
constinit thread_local pool::ThreadCache cache{watch_thread};

pthread_key_t thread_end_key;
pthread_once_t watch_once = PTHREAD_ONCE_INIT;

void end_thread(void*) {
    cache.retire(heap);
}

// Lets time pass for the pool of a program that makes no calls.
void* pass_time(void*) {
    for (;;) {
        const timespec pause{static_cast<time_t>(background_ns / 1'000'000'000),
                             static_cast<long>(background_ns % 1'000'000'000)};
        ::nanosleep(&pause, nullptr);
        while (heap.decay()) {
        }
    }
}

// The thread takes no signal: those are the program's. A program it cannot be made in does without.
void start_background() {
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    pthread_t thread;
    if (background_ns == 0 || pthread_attr_init(&attributes) != 0) {
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, std::size_t{64} << 10);
    pthread_create(&thread, &attributes, pass_time, nullptr);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// For a library's constructor: not before the C library is ready for threads. Where the pool is not
// what answers malloc this is not called, for it puts a block into the cache.
void begin_pool_process() {
    cache.deallocate(heap, cache.allocate(heap, 1)); // reads the options, if nobody has yet
    start_background();
}

// A child of fork has one thread: it must not find a lock another thread held. What other threads
// had cached is lost to it.
void start_watching() {
    pthread_key_create(&thread_end_key, end_thread);
    hold_over_forks<[] { heap.lock_all(); }, [] { heap.unlock_all(); },
                    [] {
                        heap.unlock_all_in_child();
                        start_background();
                    }>();
}

// Keys are destroyed after C++ thread-local objects; what allocates later still finds the heap.
[[gnu::cold]] void watch_thread(pool::ThreadCache& attached) {
    pthread_once(&watch_once, start_watching);
    pthread_setspecific(thread_end_key, &attached);
}

struct PoolBackend {
    [[gnu::always_inline]] static void* allocate(std::size_t size) noexcept {
        if (size <= pool::small_max_bytes) [[likely]] {
            void* const block = cache.allocate_cached(heap, size);
            if (block != nullptr) [[likely]] {
                return block;
            }
        }
        return allocate_slow(size);
    }

    // On its own, so that malloc is a jump away from it and needs no frame.
    [[gnu::noinline]] static void* allocate_slow(std::size_t size) noexcept {
        void* const block = size <= pool::small_max_bytes
                                ? cache.allocate(heap, size)
                                : cache.allocate_large(heap, size, 1, false);
        if (block == nullptr) {
            errno = ENOMEM;
        }
        return block;
    }

    static void* allocate_zeroed(std::size_t size) noexcept {
        if (size > pool::small_max_bytes) {
            return cache.allocate_large(heap, size, 1, true);
        }
        void* const block = cache.allocate(heap, size);
        if (block != nullptr) [[likely]] {
            clear_block(block, size);
        }
        return block;
    }

    static void* allocate_aligned(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t bytes = // once it is open: its options decide on its classes
            heap.is_open() ? heap.classes().aligned_class_bytes(size, alignment) : 0;
        if (bytes != 0) {
            return cache.allocate(heap, bytes);
        }
        return cache.allocate_large(heap, size, alignment, false);
    }

    static void* reallocate(void* block, std::size_t size) noexcept {
        pool::Kind kind = pool::free_kind;
        if (size > pool::small_max_bytes && heap.find_kind(block, kind) &&
            kind == pool::large_kind) {
            return cache.reallocate_large(heap, block, size);
        }
        const std::size_t old_size = heap.usable_size(block);
        if (old_size == 0) {
            return nullptr; // nothing of the heap's: what it holds is not known
        }
        // A block that fits stays, unless a quarter of a larger one would lie idle.
        if (size <= old_size && (old_size <= 64 || size > old_size - old_size / 4)) {
            return block;
        }
        void* const moved = allocate(size);
        if (moved != nullptr) {
            __builtin_memcpy(moved, block, size < old_size ? size : old_size);
            cache.deallocate(heap, block);
        }
        return moved;
    }

    // Returns false, having done nothing, for null and for memory that is not the heap's.
    [[gnu::always_inline]] static bool deallocate_own(void* block) noexcept {
        return cache.deallocate(heap, block);
    }
    [[gnu::always_inline]] static void deallocate(void* block) noexcept { deallocate_own(block); }

    static std::size_t usable_size(void* block) noexcept {
        return block != nullptr ? heap.usable_size(block) : 0;
    }
};

} // namespace
