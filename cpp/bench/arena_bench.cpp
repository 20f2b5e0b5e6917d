// SPDX-License-Identifier: MIT
// What the arena and its relatives cost against a ten-line bump, and what ending a scope costs.

#include "loops.hpp"

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/chunked_store.hpp>
#include <alloclab/alloc/double_ended.hpp>
#include <alloclab/alloc/frame_arena.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/scope_stack.hpp>

namespace alloclab {

// Frees are nothing at all, as those of the inline bump are.
using PlainArena = Arena<OsPageSource, ArenaTraits{.takes_back_newest = false}>;

template <> inline constexpr bool ends_at_once<PlainArena> = true;
template <> inline constexpr bool ends_at_once<PackedArena<>> = true;
template <> inline constexpr bool ends_at_once<FrameArena<>> = true;
template <> inline constexpr bool ends_at_once<DoubleEnded<>> = true;

namespace {

BENCHMARK_TEMPLATE(bulk, PlainArena, MixedSizes);
BENCHMARK_TEMPLATE(bulk, PlainArena, EqualSizes);
BENCHMARK_TEMPLATE(bulk, PackedArena<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, FrameArena<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, DoubleEnded<>, MixedSizes);
BENCHMARK_TEMPLATE(fill, PlainArena, MixedSizes);
BENCHMARK_TEMPLATE(fill, InlineBump, EqualSizes);
BENCHMARK_TEMPLATE(fill, PlainArena, EqualSizes);

// Rows L4, L7: a scope in which nothing is allocated.
void empty_scope(benchmark::State& state) {
    ScopeStack<> scopes;
    for ([[maybe_unused]] auto round : state) {
        const ScopeId id = scopes.enter_request_scope();
        benchmark::DoNotOptimize(id.number);
        scopes.exit_request_scope(id);
    }
}
BENCHMARK(empty_scope);

// Row W11: ending a scope that has filled so many chunks of 64 KiB.
void end_of_scope(benchmark::State& state) {
    ArenaOptions options;
    options.set_preset("page_chain");
    Arena<> arena(options);
    for ([[maybe_unused]] auto round : state) {
        state.PauseTiming();
        for (std::int64_t chunk_idx = 0; chunk_idx < state.range(0); ++chunk_idx) {
            arena.allocate(60000, default_alignment);
        }
        state.ResumeTiming();
        arena.reset();
    }
}
BENCHMARK(end_of_scope)->Arg(1)->Arg(16)->Arg(256)->Iterations(2000);

// Rows R3, S35: ending 1000 blocks one by one, against one reset.
void end_one_by_one(benchmark::State& state) {
    const MixedSizes pattern;
    Pool<> pool;
    std::array<void*, batch_blocks> blocks{};
    for ([[maybe_unused]] auto round : state) {
        state.PauseTiming();
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            blocks[block_idx] = pool.allocate(pattern.sizes[block_idx], default_alignment);
        }
        state.ResumeTiming();
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            pool.deallocate(blocks[block_idx], pattern.sizes[block_idx], default_alignment);
        }
    }
}
BENCHMARK(end_one_by_one)->Iterations(2000);

void end_at_once(benchmark::State& state) {
    const MixedSizes pattern;
    Arena<> arena;
    for ([[maybe_unused]] auto round : state) {
        state.PauseTiming();
        for (const std::size_t size : pattern.sizes) {
            arena.allocate(size, default_alignment);
        }
        state.ResumeTiming();
        arena.reset();
    }
}
BENCHMARK(end_at_once)->Iterations(2000);

// Row S36: following a list after littering: as many nodes were allocated before and nine tenths of
// them freed at random, so that an allocator that reuses hands the list out in their holes.
struct Node {
    Node* next;
    std::uint64_t value[5];
};
template <class A> void traverse(benchmark::State& state) {
    constexpr std::size_t node_count = 200000;
    A allocator;
    Rng rng(3);
    std::vector<void*> littered;
    for (std::size_t node_idx = 0; node_idx < node_count; ++node_idx) {
        littered.push_back(allocator.allocate(sizeof(Node), alignof(Node)));
    }
    for (void* const block : littered) {
        if (rng.below(10) != 0) {
            allocator.deallocate(block, sizeof(Node), alignof(Node));
        }
    }
    Node* first = nullptr;
    for (std::size_t node_idx = 0; node_idx < node_count; ++node_idx) {
        auto* const node = static_cast<Node*>(allocator.allocate(sizeof(Node), alignof(Node)));
        *node = {first, {node_idx}};
        first = node;
    }
    for ([[maybe_unused]] auto round : state) {
        std::uint64_t sum = 0;
        for (const Node* node = first; node != nullptr; node = node->next) {
            sum += node->value[0];
        }
        benchmark::DoNotOptimize(sum);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * node_count));
}
BENCHMARK_TEMPLATE(traverse, Arena<>);
BENCHMARK_TEMPLATE(traverse, Pool<>);
BENCHMARK_TEMPLATE(traverse, ProcessMalloc);

} // namespace
} // namespace alloclab
