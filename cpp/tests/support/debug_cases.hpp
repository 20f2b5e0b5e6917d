// SPDX-License-Identifier: MIT
#pragma once

#include <support/allocator_cases.hpp>

#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

namespace alloclab {

// The debugging blocks as the conformance suite sees them: one by one, all together, and all over
// an allocator whose reset leaves memory alone.

struct GuardCase : PoolCase {
    template <PageSource Source> using Of = Guard<Pool<Source>>;
    static auto options() {
        LayerOptions<NoOptions, PoolOptions> options;
        options.upstream = PoolCase::options();
        return options;
    }
};
struct QuarantineCase : PoolCase {
    template <PageSource Source> using Of = Quarantine<Pool<Source>, Source>;
    static auto options() {
        LayerOptions<QuarantineOptions, PoolOptions> options;
        options.blocks = 16;
        options.upstream = PoolCase::options();
        return options;
    }
};
struct TraceCase : PoolCase {
    template <PageSource Source> using Of = Trace<Pool<Source>, Source>;
    static auto options() {
        LayerOptions<TraceOptions, PoolOptions> options;
        options.upstream = PoolCase::options();
        return options;
    }
};
template <template <class> class Leaf, class LeafCase> struct DebugStackCase : LeafCase {
    template <PageSource Source> using Of = Trace<Guard<Quarantine<Leaf<Source>, Source>>, Source>;
    static auto options() {
        OptionsOf<Of<OsPageSource>> options;
        options.upstream.upstream.blocks = 16;
        options.upstream.upstream.upstream = LeafCase::options();
        return options;
    }
};
using DebugPoolCase = DebugStackCase<Pool, PoolCase>;
using DebugArenaCase = DebugStackCase<Arena, ArenaCase>;

} // namespace alloclab
