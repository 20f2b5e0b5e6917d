// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/rng.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <vector>

// The loops every allocator runs in, the two floors, and the sizes: one item is one pair of
// allocate and free.
namespace alloclab {

inline constexpr std::size_t batch_blocks = 1000;

// Whoever frees a block has its address at hand; without this the loop of frees that do nothing
// would not be run at all.
inline void load(void* block) {
    asm volatile("" : : "r"(block));
}

// The floor: as little as a bump allocation can be.
class InlineBump {
public:
    InlineBump() : memory_(new std::byte[capacity]) {}
    ~InlineBump() { delete[] memory_; }
    InlineBump(const InlineBump&) = delete;
    InlineBump& operator=(const InlineBump&) = delete;
    void* allocate(std::size_t size, std::size_t alignment) {
        const std::size_t first = align_up(used_, alignment);
        if (size > capacity - first) {
            return nullptr;
        }
        used_ = first + size;
        return memory_ + first;
    }
    void deallocate(void*, std::size_t, std::size_t) {}
    void reset() { used_ = 0; }

private:
    static constexpr std::size_t capacity = std::size_t{1} << 20;
    std::size_t used_ = 0;
    std::byte* memory_;
};

// The malloc of the process, out of line and unsized.
class ProcessMalloc {
public:
    void* allocate(std::size_t size, std::size_t) { return std::malloc(size); }
    void deallocate(void* block, std::size_t, std::size_t) { std::free(block); }
};

struct MixedSizes {
    std::vector<std::size_t> sizes;
    MixedSizes() {
        Rng rng(42);
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            sizes.push_back(16 + rng.below(241)); // 16 to 256
        }
    }
};
struct EqualSizes {
    std::vector<std::size_t> sizes = std::vector<std::size_t>(batch_blocks, 64);
};

// Whether blocks end all at once only: freeing them does nothing. Say so for each such allocator.
template <class A> inline constexpr bool ends_at_once = false;
template <> inline constexpr bool ends_at_once<InlineBump> = true;

// Allocates a batch and frees it in the same order.
template <class A, class Sizes> void bulk(benchmark::State& state) {
    const Sizes pattern;
    std::array<void*, batch_blocks> blocks{};
    A allocator;
    for ([[maybe_unused]] auto round : state) {
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            void* const block = allocator.allocate(pattern.sizes[block_idx], default_alignment);
            *static_cast<char*>(block) = 1;
            blocks[block_idx] = block;
        }
        benchmark::ClobberMemory();
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            load(blocks[block_idx]);
            allocator.deallocate(blocks[block_idx], pattern.sizes[block_idx], default_alignment);
        }
        if constexpr (ends_at_once<A>) {
            allocator.reset();
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch_blocks));
}

// Allocates a batch and ends it at once: what an arena is for.
template <class A, class Sizes> void fill(benchmark::State& state) {
    const Sizes pattern;
    A allocator;
    for ([[maybe_unused]] auto round : state) {
        for (std::size_t block_idx = 0; block_idx < batch_blocks; ++block_idx) {
            void* const block = allocator.allocate(pattern.sizes[block_idx], default_alignment);
            *static_cast<char*>(block) = 1;
            load(block);
        }
        allocator.reset();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch_blocks));
}

// Frees a random live block and allocates another in its place, over and over.
template <class A, class Sizes> void churn(benchmark::State& state) {
    const Sizes pattern;
    constexpr std::size_t live_blocks = 8192;
    struct Live {
        void* block;
        std::size_t size;
    };
    std::vector<Live> live(live_blocks);
    Rng rng(7);
    A allocator;
    for (Live& one : live) {
        one.size = pattern.sizes[rng.below(batch_blocks)];
        one.block = allocator.allocate(one.size, default_alignment);
    }
    for ([[maybe_unused]] auto round : state) {
        for (std::size_t step = 0; step < batch_blocks; ++step) {
            Live& one = live[rng.next() % live_blocks];
            allocator.deallocate(one.block, one.size, default_alignment);
            one.size = pattern.sizes[step];
            one.block = allocator.allocate(one.size, default_alignment);
            *static_cast<char*>(one.block) = 1;
        }
    }
    for (const Live& one : live) {
        allocator.deallocate(one.block, one.size, default_alignment);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch_blocks));
}

} // namespace alloclab
