// SPDX-License-Identifier: MIT
#pragma once

#include <support/remembering.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/buddy.hpp>
#include <alloclab/alloc/double_ended.hpp>
#include <alloclab/alloc/frame_arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/page_allocator.hpp>
#include <alloclab/alloc/platform.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/slab.hpp>
#include <alloclab/alloc/tlsf.hpp>

namespace alloclab {

// The allocators the conformance suite runs on. A new one is a struct and a word in the list below.

struct ArenaCase {
    template <PageSource Source> using Of = Arena<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static ArenaOptions options() { return {}; }
};

// Row L9: a chain of equal pages, larger requests on their own; bytes packed.
struct PagedArenaCase : ArenaCase {
    template <PageSource Source> using Of = PackedArena<Source>;
    static ArenaOptions options() {
        ArenaOptions options;
        options.set_preset("page_chain");
        return options;
    }
};

// Chunks longer in place, and spare ones that fault.
struct RocArenaCase : ArenaCase {
    template <PageSource Source> using Of = Arena<Source, ArenaTraits{.is_checked = true}>;
    static ArenaOptions options() {
        ArenaOptions options;
        options.set_preset("roc");
        options.poison = ArenaPoison::protect;
        return options;
    }
};

struct FrameArenaCase : ArenaCase {
    template <PageSource Source> using Of = FrameArena<Source>;
};

struct DoubleEndedCase {
    template <PageSource Source> using Of = DoubleEnded<Source>;
    static constexpr std::size_t max_size = 2000;
    static constexpr std::size_t max_alignment = 4096;
    static DoubleEndedOptions options() { return {.region_bytes = std::size_t{1} << 20}; }
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

struct BuddyCase {
    template <PageSource Source> using Of = Buddy<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 19;
    static constexpr std::size_t max_alignment = 16384;
    static BuddyOptions options() { return {.region_bytes = std::size_t{1} << 20}; }
};

struct SlabCase : FreelistCase {
    template <PageSource Source> using Of = Slab<Source>;
    static SlabOptions options() {
        return {.object_bytes = 96, .slab_bytes = 4096, .retained_slabs = 2};
    }
};

struct PageAllocatorCase {
    template <PageSource Source> using Of = PageAllocator<Source>;
    static constexpr std::size_t max_size = std::size_t{1} << 17;
    static constexpr std::size_t max_alignment = 16384;
    static constexpr std::size_t exhausting_bytes = 4000;
    static PageAllocatorOptions options() { return {}; }
};

// malloc cannot end the life of all blocks at once; the tests leave some behind.
struct PlatformCase {
    template <PageSource Source> using Of = Remembering<Platform>;
    static constexpr bool is_sourceless = true;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static PlatformOptions options() { return {}; }
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
