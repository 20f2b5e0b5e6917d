// SPDX-License-Identifier: MIT
// What a pair of allocate and free costs, every allocator in the same loops. Ratios mean something,
// nanoseconds depend on the machine; `--benchmark_format=json` and
// `--benchmark_enable_random_interleaving=true` give figures to compare.

#include "loops.hpp"

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/pool.hpp>

namespace alloclab {

template <> inline constexpr bool ends_at_once<Arena<>> = true;

namespace {

BENCHMARK_TEMPLATE(fill, InlineBump, MixedSizes);
BENCHMARK_TEMPLATE(fill, Arena<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, InlineBump, MixedSizes);
BENCHMARK_TEMPLATE(bulk, Arena<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, Pool<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, ProcessMalloc, MixedSizes);
BENCHMARK_TEMPLATE(bulk, InlineBump, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Arena<>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Freelist<>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, Pool<>, EqualSizes);
BENCHMARK_TEMPLATE(bulk, ProcessMalloc, EqualSizes);
BENCHMARK_TEMPLATE(churn, Pool<>, MixedSizes);
BENCHMARK_TEMPLATE(churn, ProcessMalloc, MixedSizes);
BENCHMARK_TEMPLATE(churn, Freelist<>, EqualSizes);
BENCHMARK_TEMPLATE(churn, Pool<>, EqualSizes);
BENCHMARK_TEMPLATE(churn, ProcessMalloc, EqualSizes);

} // namespace
} // namespace alloclab
