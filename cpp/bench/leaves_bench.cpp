// SPDX-License-Identifier: MIT
// The leaf allocators in the loops of loops.hpp, and in three that show what order does to them.

#include "loops.hpp"

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/buddy.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/page_allocator.hpp>
#include <alloclab/alloc/platform.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/slab.hpp>
#include <alloclab/alloc/tlsf.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/compose/erase.hpp>

#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <utility>

namespace alloclab {
namespace {

struct Live {
    void* block;
    std::size_t size;
};

template <class A, class Sizes> std::vector<Live> allocate_many(A& allocator, std::size_t count) {
    const Sizes pattern;
    std::vector<Live> live(count);
    for (std::size_t block_idx = 0; block_idx < count; ++block_idx) {
        const std::size_t size = pattern.sizes[block_idx % batch_blocks];
        live[block_idx] = {allocator.allocate(size, default_alignment), size};
        *static_cast<char*>(live[block_idx].block) = 1;
    }
    return live;
}

void shuffle(std::vector<Live>& live, Rng& rng) {
    for (std::size_t left = live.size(); left > 1; --left) {
        std::swap(live[left - 1], live[rng.below(left)]);
    }
}

// Frees 90 % of 200 k blocks in random order and allocates as many again, touching each.
template <class A, class Sizes> void scattered(benchmark::State& state) {
    constexpr std::size_t count = 200000;
    constexpr std::size_t freed = count / 10 * 9;
    A allocator;
    std::vector<Live> live = allocate_many<A, Sizes>(allocator, count);
    Rng rng(11);
    for ([[maybe_unused]] auto round : state) {
        state.PauseTiming();
        shuffle(live, rng);
        state.ResumeTiming();
        for (std::size_t block_idx = 0; block_idx < freed; ++block_idx) {
            allocator.deallocate(live[block_idx].block, live[block_idx].size, default_alignment);
        }
        for (std::size_t block_idx = 0; block_idx < freed; ++block_idx) {
            Live& one = live[block_idx];
            one.block = allocator.allocate(one.size, default_alignment);
            *static_cast<char*>(one.block) = 1;
        }
    }
    for (const Live& one : live) {
        allocator.deallocate(one.block, one.size, default_alignment);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * freed));
}

// Walks a list of 60 k nodes allocated after 600 k blocks were, and 90 % of them freed at random.
template <class A, class Sizes> void littered(benchmark::State& state) {
    struct Node {
        Node* next;
        std::size_t value[5];
    };
    constexpr std::size_t node_count = 60000;
    A allocator;
    std::vector<Live> live = allocate_many<A, Sizes>(allocator, 10 * node_count);
    Rng rng(12);
    shuffle(live, rng);
    for (std::size_t block_idx = node_count; block_idx < live.size(); ++block_idx) {
        allocator.deallocate(live[block_idx].block, live[block_idx].size, default_alignment);
    }
    Node* first = nullptr;
    Node** link = &first;
    for (std::size_t node_idx = 0; node_idx < node_count; ++node_idx) {
        Node* const node = static_cast<Node*>(allocator.allocate(sizeof(Node), default_alignment));
        *link = node;
        node->value[0] = node_idx;
        link = &node->next;
    }
    *link = nullptr;
    std::size_t sum = 0;
    for ([[maybe_unused]] auto round : state) {
        for (const Node* node = first; node != nullptr; node = node->next) {
            sum += node->value[0];
        }
    }
    benchmark::DoNotOptimize(sum);
    for (Node* node = first; node != nullptr;) {
        allocator.deallocate(std::exchange(node, node->next), sizeof(Node), default_alignment);
    }
    for (std::size_t block_idx = 0; block_idx < node_count; ++block_idx) {
        allocator.deallocate(live[block_idx].block, live[block_idx].size, default_alignment);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * node_count));
}

std::size_t resident_bytes() {
    std::size_t total_pages = 0;
    std::size_t resident_pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%zu %zu", &total_pages, &resident_pages) != 2) {
        resident_pages = 0;
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return resident_pages * page_bytes;
}

// What 500 k written blocks take, over what was asked for. Run it in a process of its own.
template <class A, class Sizes> void resident(benchmark::State& state) {
    constexpr std::size_t count = 500000;
    const Sizes pattern;
    A allocator;
    for ([[maybe_unused]] auto round : state) {
        std::vector<Live> live(count, Live{nullptr, 1});
        const std::size_t before_bytes = resident_bytes();
        std::size_t requested_bytes = 0;
        for (std::size_t block_idx = 0; block_idx < count; ++block_idx) {
            Live& one = live[block_idx];
            one.size = pattern.sizes[block_idx % batch_blocks];
            one.block = allocator.allocate(one.size, default_alignment);
            std::memset(one.block, 1, one.size);
            requested_bytes += one.size;
        }
        state.counters["resident_ratio"] = static_cast<double>(resident_bytes() - before_bytes) /
                                           static_cast<double>(requested_bytes);
        for (const Live& one : live) {
            allocator.deallocate(one.block, one.size, default_alignment);
        }
    }
}

#define EVERY_LOOP(allocator, sizes)                                                               \
    BENCHMARK_TEMPLATE(bulk, allocator, sizes);                                                    \
    BENCHMARK_TEMPLATE(churn, allocator, sizes);                                                   \
    BENCHMARK_TEMPLATE(scattered, allocator, sizes);                                               \
    BENCHMARK_TEMPLATE(littered, allocator, sizes);                                                \
    BENCHMARK_TEMPLATE(resident, allocator, sizes)->Iterations(1)

EVERY_LOOP(Tlsf<>, MixedSizes);
EVERY_LOOP(Buddy<>, MixedSizes);
EVERY_LOOP(Platform, MixedSizes);
EVERY_LOOP(Tlsf<>, EqualSizes);
EVERY_LOOP(Slab<>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, PageAllocator<>, MixedSizes);

// A freelist as a composed stack sees it: through the table, one indirect call each.
class ErasedFreelist : public AnyAllocator {
public:
    ErasedFreelist() : AnyAllocator(erase<Freelist<>>("freelist")) {}
};
BENCHMARK_TEMPLATE(bulk, ErasedFreelist, EqualSizes);
BENCHMARK_TEMPLATE(churn, ErasedFreelist, EqualSizes);

// What allocator_bench.cpp has not of those that have a file of their own there.
BENCHMARK_TEMPLATE(scattered, Freelist<>, EqualSizes);
BENCHMARK_TEMPLATE(littered, Freelist<>, EqualSizes);
BENCHMARK_TEMPLATE(scattered, Pool<>, EqualSizes);
BENCHMARK_TEMPLATE(littered, Pool<>, MixedSizes);
BENCHMARK_TEMPLATE(littered, Arena<>, MixedSizes);
BENCHMARK_TEMPLATE(resident, Pool<>, MixedSizes)->Iterations(1);
BENCHMARK_TEMPLATE(scattered, ProcessMalloc, EqualSizes);
BENCHMARK_TEMPLATE(littered, ProcessMalloc, MixedSizes);
BENCHMARK_TEMPLATE(resident, ProcessMalloc, MixedSizes)->Iterations(1);

} // namespace
} // namespace alloclab
