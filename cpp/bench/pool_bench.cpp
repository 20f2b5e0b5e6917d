// SPDX-License-Identifier: MIT
// What the pool costs once its blocks are scattered. The peers run in the same loop through the
// malloc of the process: preload one.

#include "loops.hpp"

#include <alloclab/alloc/pool.hpp>

#include <numeric>
#include <utility>

namespace alloclab {
namespace {

constexpr std::size_t scattered_blocks = 200'000;
constexpr std::size_t scattered_block_bytes = 64;

// Frees every one of many equal blocks in random order, and allocates as many again. What a plain
// list of free blocks loses here is the order of addresses.
template <class A> void random_free(benchmark::State& state) {
    std::vector<std::uint32_t> order(scattered_blocks);
    std::iota(order.begin(), order.end(), 0U);
    Rng rng(11);
    for (std::size_t left = scattered_blocks; left > 1; --left) {
        std::swap(order[left - 1], order[rng.below(left)]);
    }
    std::vector<void*> blocks(scattered_blocks);
    A allocator;
    const auto fill = [&] {
        for (void*& block : blocks) {
            block = allocator.allocate(scattered_block_bytes, default_alignment);
            *static_cast<char*>(block) = 1;
        }
    };
    const auto drain = [&] {
        for (const std::uint32_t block_idx : order) {
            allocator.deallocate(blocks[block_idx], scattered_block_bytes, default_alignment);
        }
    };
    fill();
    for ([[maybe_unused]] auto round : state) {
        drain();
        fill();
    }
    drain();
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * scattered_blocks));
}

BENCHMARK_TEMPLATE(random_free, Pool<>);
BENCHMARK_TEMPLATE(random_free, ProcessMalloc);

} // namespace
} // namespace alloclab
