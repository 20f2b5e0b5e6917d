// SPDX-License-Identifier: MIT
#pragma once

#include <support/allocator_cases.hpp>

#include <alloclab/alloc/affix.hpp>
#include <alloclab/alloc/bucketizer.hpp>
#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/deterministic.hpp>
#include <alloclab/alloc/fail_after.hpp>
#include <alloclab/alloc/fallback.hpp>
#include <alloclab/alloc/limit.hpp>
#include <alloclab/alloc/locked.hpp>
#include <alloclab/alloc/quantizer.hpp>
#include <alloclab/alloc/segregator.hpp>
#include <alloclab/alloc/stats.hpp>
#include <alloclab/alloc/thread_local.hpp>

namespace alloclab {

// The combinators as the conformance suite sees them: over the leaves, and over each other.

// Row S10: small ones from a free list, the rest from a general allocator.
struct SegregatorCase {
    template <PageSource Source> using Of = Segregator<Freelist<Source, false>, Pool<Source>>;
    static constexpr std::size_t max_size = std::size_t{1} << 20;
    static constexpr std::size_t max_alignment = 16384;
    static auto options() {
        SegregatorTreeOptions<FreelistOptions, PoolOptions> options;
        options.threshold_bytes = 96;
        options.small = FreelistCase::options();
        options.large = PoolCase::options();
        return options;
    }
};

struct BucketizerCase {
    template <PageSource Source> using Of = Bucketizer<Freelist<Source, false>>;
    static constexpr std::size_t max_size = 256;
    static constexpr std::size_t max_alignment = 16;
    static auto options() {
        LayerOptions<BucketizerOptions, FreelistOptions> options;
        options.upstream.blocks_per_chunk = 50;
        return options;
    }
};

struct GeometricBucketizerCase : BucketizerCase {
    static constexpr std::size_t max_size = 4096;
    static auto options() {
        auto options = BucketizerCase::options();
        options.max_bytes = max_size;
        options.steps_per_doubling = 4;
        return options;
    }
};

struct FallbackCase : SegregatorCase {
    template <PageSource Source> using Of = Fallback<Freelist<Source, true>, Arena<Source>>;
    static auto options() {
        FallbackOptions<FreelistOptions, ArenaOptions> options;
        options.primary = FreelistCase::options();
        return options;
    }
};

template <class Own> struct OverPool : PoolCase {
    static auto options() {
        LayerOptions<Own, PoolOptions> options;
        options.upstream = PoolCase::options();
        return options;
    }
};

struct AffixCase : OverPool<NoOptions> {
    struct Stamp {
        std::uint64_t value = 0x5157;
    };
    template <PageSource Source> using Of = Affix<Pool<Source>, Stamp, Stamp>;
};
struct SizedAffixCase : OverPool<AffixOptions> {
    template <PageSource Source> using Of = SizedAffix<Pool<Source>>;
    static auto options() {
        auto options = OverPool::options();
        options.prefix_bytes = 24;
        options.suffix_bytes = 5;
        return options;
    }
};
struct QuantizerCase : OverPool<QuantizerOptions> {
    template <PageSource Source> using Of = Quantizer<Pool<Source>>;
    static auto options() {
        auto options = OverPool::options();
        options.steps = {64, 2};
        return options;
    }
};
struct StatsCase : OverPool<NoOptions> {
    template <PageSource Source>
    using Of = Stats<Pool<Source>, StatsDetail{.has_slack = true, .has_histogram = true}>;
};
struct LimitCase : OverPool<LimitOptions> {
    template <PageSource Source> using Of = Limit<Pool<Source>>;
};
struct FailAfterCase : OverPool<FailAfterOptions> {
    template <PageSource Source> using Of = FailAfter<Pool<Source>>;
};
struct LockedCase : OverPool<NoOptions> {
    template <PageSource Source> using Of = Locked<Pool<Source>>;
};
struct MutexCase : OverPool<NoOptions> {
    template <PageSource Source> using Of = Locked<Pool<Source>, MutexLock>;
};
struct ThreadLocalCase : OverPool<ThreadLocalOptions> {
    template <PageSource Source> using Of = ThreadLocal<Pool<Source>, Source>;
};
struct CallbackCase : OverPool<NoOptions> {
    template <PageSource Source> using Of = Callback<Pool<Source>>;
};
struct DeterministicCase : OverPool<NoOptions> {
    template <PageSource Source> using Of = Deterministic<Pool<Source>>;
};

// The well-known composition: free lists in steps that widen with the size, an arena's chunks under
// a budget for the rest, everything counted, for several threads.
struct TowerCase : SegregatorCase {
    template <PageSource Source>
    using Of = Locked<Stats<Segregator<Bucketizer<Freelist<Source, false>>,
                                       Limit<Quantizer<Fallback<Pool<Source>, Arena<Source>>>>>>>;
    static auto options() {
        using Large =
            LayerOptions<LimitOptions, LayerOptions<QuantizerOptions,
                                                    FallbackOptions<PoolOptions, ArenaOptions>>>;
        using Small = LayerOptions<BucketizerOptions, FreelistOptions>;
        LayerOptions<NoOptions, LayerOptions<NoOptions, SegregatorTreeOptions<Small, Large>>>
            options;
        options.upstream.upstream.small = BucketizerCase::options();
        options.upstream.upstream.large.upstream.upstream.primary = PoolCase::options();
        return options;
    }
};

} // namespace alloclab
