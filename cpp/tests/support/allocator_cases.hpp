// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/tlsf.hpp>

namespace alloclab {

// The allocators the conformance suite runs on. A new one is a struct and a word in the list below.

struct ArenaCase {
    template <PageSource Source> using Of = Arena<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static ArenaOptions options() { return {}; }
};

// Row L9: a chain of equal pages, larger requests on their own.
struct PagedArenaCase : ArenaCase {
    static ArenaOptions options() {
        ArenaOptions options;
        options.growth = 1.0;
        options.max_chunk_bytes = options.initial_bytes;
        return options;
    }
};

struct FreelistCase {
    template <PageSource Source> using Of = Freelist<Source, false>;
    static constexpr std::size_t max_size = 96;
    static constexpr std::size_t max_alignment = 32;
    static FreelistOptions options() { return {.block_bytes = 96, .blocks_per_chunk = 50}; }
};

struct CheckedFreelistCase : FreelistCase {
    template <PageSource Source> using Of = Freelist<Source, true>;
};

struct TlsfCase {
    template <PageSource Source> using Of = Tlsf<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static TlsfOptions options() { return {}; }
};

struct PoolCase {
    template <PageSource Source> using Of = Pool<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static PoolOptions options() {
        PoolOptions options;
        options.region_bytes = std::size_t{1} << 30; // ample, and quick to map under a sanitizer
        return options;
    }
};

} // namespace alloclab
