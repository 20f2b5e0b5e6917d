// SPDX-License-Identifier: MIT
// What a layer costs over the allocator it stands on, and what it costs to be behind a table.

#include "loops.hpp"

#include <alloclab/alloc/affix.hpp>
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/bucketizer.hpp>
#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/deterministic.hpp>
#include <alloclab/alloc/fallback.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/limit.hpp>
#include <alloclab/alloc/locked.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quantizer.hpp>
#include <alloclab/alloc/segregator.hpp>
#include <alloclab/alloc/stats.hpp>
#include <alloclab/alloc/thread_local.hpp>
#include <alloclab/compose/build_allocator.hpp>

namespace alloclab {

namespace {

// Stacks as a spec gives them: built where the compiler cannot see through the table.
class Composed : public AnyAllocator {
protected:
    explicit Composed(const char* json)
        : AnyAllocator(build_allocator(parse_allocator_spec(json))) {}
};
struct ComposedArena : Composed {
    ComposedArena() : Composed(R"({"allocator": "arena"})") {}
};
struct ComposedFreelist : Composed {
    ComposedFreelist() : Composed(R"({"allocator": "freelist"})") {}
};
struct ComposedPool : Composed {
    ComposedPool() : Composed(R"({"allocator": "pool"})") {}
};
struct ComposedStats : Composed { // two tables deep
    ComposedStats()
        : Composed(R"({"allocator": "stats", "children": {"upstream": {"allocator": "pool"}}})") {}
};

struct SmallFirst : Segregator<Freelist<>, Pool<>> {
    static auto options() {
        Options options;
        options.threshold_bytes = 64;
        return options;
    }
    SmallFirst() : Segregator(options()) {}
};
struct Lists : Bucketizer<Freelist<>> {};
struct GeometricLists : Bucketizer<Freelist<>> {
    static auto options() {
        Options options;
        options.steps_per_doubling = 4;
        return options;
    }
    GeometricLists() : Bucketizer(options()) {}
};
struct ListOrNothing : Fallback<Freelist<>, Null> {};
struct Header {
    std::uint64_t word = 1;
};
struct Told : Callback<Freelist<>> {
    Told() {
        on_events(
            [](void*, std::span<const AllocationEvent> events) noexcept {
                benchmark::DoNotOptimize(events.data());
            },
            nullptr);
    }
};
template <class A>
using FullStats = Stats<A, StatsDetail{.has_slack = true, .has_histogram = true}>;

} // namespace

template <> inline constexpr bool ends_at_once<ComposedArena> = true;

namespace {

BENCHMARK_TEMPLATE(bulk, ComposedArena, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ComposedFreelist, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ComposedPool, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ComposedStats, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ComposedArena, MixedSizes);
BENCHMARK_TEMPLATE(bulk, ComposedPool, MixedSizes);
BENCHMARK_TEMPLATE(bulk, ComposedStats, MixedSizes);

BENCHMARK_TEMPLATE(bulk, Deterministic<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Quantizer<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, SmallFirst, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Lists, EqualSizes);
BENCHMARK_TEMPLATE(bulk, GeometricLists, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ListOrNothing, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Stats<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, FullStats<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Limit<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Callback<Freelist<>>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Told, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Locked<Freelist<>>, EqualSizes);

// These put bytes before a block, so the free list of 64 bytes would not do.
BENCHMARK_TEMPLATE(bulk, Affix<Pool<>, Header>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ThreadLocal<Pool<>>, EqualSizes);

} // namespace
} // namespace alloclab
