// SPDX-License-Identifier: MIT
// Tasks that leave a little behind and drop the rest, under pairs of allocators; and what sharing
// one allocator among threads costs against one each.

#include "loops.hpp"

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/locked.hpp>
#include <alloclab/alloc/page_allocator.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/promote.hpp>
#include <alloclab/alloc/tlsf.hpp>
#include <alloclab/base/error.hpp>
#include <alloclab/peers/jemalloc_arena.hpp>

#include <deque>
#include <memory>

namespace alloclab {

template <> inline constexpr bool ends_at_once<Arena<>> = true;

namespace {

struct Live {
    void* block;
    std::size_t size;
};

constexpr std::size_t scratch_blocks = 200;
constexpr std::size_t results = 10;
constexpr std::size_t kept_results = 1000;

template <class Scratch>
void run_scratch(Scratch& scratch, const MixedSizes& pattern,
                 std::array<Live, scratch_blocks>& made) {
    for (std::size_t block_idx = 0; block_idx < scratch_blocks; ++block_idx) {
        const std::size_t size = pattern.sizes[block_idx];
        made[block_idx] = {scratch.allocate(size, default_alignment), size};
        *static_cast<char*>(made[block_idx].block) = 1;
    }
}

// One round is a task: 200 temporary blocks of 16 to 256 bytes, ten of them promoted, the rest
// dropped. The last thousand results live. Row R41: a durable allocator apart from a resettable
// one.
template <class Durable, class Scratch> void worker_tasks(benchmark::State& state) try {
    const MixedSizes pattern;
    Durable durable;
    Scratch scratch;
    std::array<Live, scratch_blocks> made{};
    std::deque<Live> kept;
    for ([[maybe_unused]] auto round : state) {
        run_scratch(scratch, pattern, made);
        for (std::size_t result_idx = 0; result_idx < results; ++result_idx) {
            const Live& one = made[result_idx * (scratch_blocks / results)];
            kept.push_back({promote(one.block, one.size, default_alignment, durable), one.size});
        }
        if constexpr (ends_at_once<Scratch>) {
            scratch.reset();
        } else {
            for (const Live& one : made) {
                scratch.deallocate(one.block, one.size, default_alignment);
            }
        }
        for (; kept.size() > kept_results; kept.pop_front()) {
            durable.deallocate(kept.front().block, kept.front().size, default_alignment);
        }
    }
    for (const Live& one : kept) {
        durable.deallocate(one.block, one.size, default_alignment);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
} catch (const Error& error) {
    state.SkipWithError(error.what()); // no jemalloc here
}

// Row R28: a batch of 1000 blocks allocated and freed by every thread, all from one allocator.
template <class A> void shared(benchmark::State& state) {
    static std::unique_ptr<A> allocator;
    if (state.thread_index() == 0) {
        allocator = std::make_unique<A>();
    }
    const MixedSizes pattern;
    std::array<void*, batch_blocks> blocks{};
    for ([[maybe_unused]] auto round : state) {
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            blocks[block_idx] = allocator->allocate(pattern.sizes[block_idx], default_alignment);
            *static_cast<char*>(blocks[block_idx]) = 1;
        }
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            allocator->deallocate(blocks[block_idx], pattern.sizes[block_idx], default_alignment);
        }
    }
    if (state.thread_index() == 0) {
        allocator.reset();
    }
}

BENCHMARK_TEMPLATE(worker_tasks, PageAllocator<>, PageAllocator<>);
BENCHMARK_TEMPLATE(worker_tasks, PageAllocator<>, Arena<>);
BENCHMARK_TEMPLATE(worker_tasks, JemallocArena, Arena<>);
BENCHMARK_TEMPLATE(worker_tasks, Pool<>, Arena<>);
BENCHMARK_TEMPLATE(worker_tasks, Pool<>, Pool<>);

BENCHMARK_TEMPLATE(shared, Locked<Tlsf<>>)->ThreadRange(1, 2);
BENCHMARK_TEMPLATE(bulk, Arena<>, MixedSizes)->Name("own_arena")->ThreadRange(1, 2);
BENCHMARK_TEMPLATE(bulk, Tlsf<>, MixedSizes)->Name("own_tlsf")->ThreadRange(1, 2);

} // namespace
} // namespace alloclab
