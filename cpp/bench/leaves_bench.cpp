// SPDX-License-Identifier: MIT
// The leaf allocators in the loops of loops.hpp.

#include "loops.hpp"

#include <alloclab/alloc/tlsf.hpp>

namespace alloclab {
namespace {

BENCHMARK_TEMPLATE(bulk, Tlsf<>, MixedSizes);
BENCHMARK_TEMPLATE(bulk, Tlsf<>, EqualSizes);
BENCHMARK_TEMPLATE(churn, Tlsf<>, MixedSizes);
BENCHMARK_TEMPLATE(churn, Tlsf<>, EqualSizes);

} // namespace
} // namespace alloclab
