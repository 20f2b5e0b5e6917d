// SPDX-License-Identifier: MIT
#include "recipe.hpp"

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
#include <alloclab/peers/jemalloc_arena.hpp>
#include <alloclab/peers/mimalloc_heap.hpp>

#include <array>

namespace alloclab {

namespace {

// A new leaf: its header above, and one line here.
constexpr std::array recipes{
    leaf<Arena<>>("arena"),
    leaf<Buddy<>>("buddy"),
    leaf<DoubleEnded<>>("double_ended"),
    leaf<FrameArena<>>("frame_arena"),
    leaf<Freelist<>>("freelist"),
    leaf<JemallocArena>("jemalloc_arena"),
    leaf<MimallocHeap>("mimalloc_heap"),
    leaf<Null>("null"),
    leaf<PageAllocator<>>("page_allocator"),
    leaf<Platform>("platform"),
    leaf<Pool<>>("pool"),
    leaf<Slab<>>("slab"),
    leaf<Tlsf<>>("tlsf"),
};

} // namespace

std::span<const Recipe> leaf_recipes() {
    return recipes;
}

} // namespace alloclab
