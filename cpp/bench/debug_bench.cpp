// SPDX-License-Identifier: MIT
// What each debugging block adds to the pool, and the full stack. The stack through malloc is
// ProcessMalloc's rows with liballoclab_malloc.so preloaded and ALLOCLAB_MALLOC=debug.

#include "loops.hpp"

#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

namespace alloclab {
namespace {

using Guarded = Guard<Pool<>>;
using Quarantined = Quarantine<Pool<>>;
using Traced = Trace<Pool<>>;
using DebugStack = Trace<Guard<Quarantine<Pool<>>>>;

// Every request says where it comes from: the site is looked up each time.
class TaggedTrace : public Traced {
public:
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return Traced::allocate(size, alignment, AllocationSite{"node", "tree.cpp", 42, nullptr});
    }
};

BENCHMARK_TEMPLATE(bulk, Guarded, MixedSizes);
BENCHMARK_TEMPLATE(bulk, Quarantined, MixedSizes);
BENCHMARK_TEMPLATE(bulk, Traced, MixedSizes);
BENCHMARK_TEMPLATE(bulk, TaggedTrace, MixedSizes);
BENCHMARK_TEMPLATE(bulk, DebugStack, MixedSizes);
BENCHMARK_TEMPLATE(churn, Guarded, MixedSizes);
BENCHMARK_TEMPLATE(churn, Quarantined, MixedSizes);
BENCHMARK_TEMPLATE(churn, Traced, MixedSizes);
BENCHMARK_TEMPLATE(churn, DebugStack, MixedSizes);

} // namespace
} // namespace alloclab
