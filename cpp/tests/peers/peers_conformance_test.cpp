// SPDX-License-Identifier: MIT
// The conformance suite on heaps of existing mallocs. They have no page source.

#include <alloclab/peers/jemalloc_arena.hpp>
#include <alloclab/peers/mimalloc_heap.hpp>

#include <gtest/gtest.h>

namespace alloclab {

template <class A> struct WithoutSource : A {
    template <class Source>
    WithoutSource(const typename A::Options& options, const Source&) : A(options) {}
};

template <class A> struct PeerCase {
    template <class Source> using Of = WithoutSource<A>;
    static constexpr bool is_sourceless = true;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static typename A::Options options() { return {}; }
};

struct UncachedJemallocCase : PeerCase<JemallocArena> {
    static JemallocArenaOptions options() { return {.library = {}, .has_cache = false}; }
};

using Cases =
    ::testing::Types<PeerCase<JemallocArena>, UncachedJemallocCase, PeerCase<MimallocHeap>>;

} // namespace alloclab

#include <support/conformance_suite.hpp>
