// SPDX-License-Identifier: MIT
// The conformance suite on the combinators.

#include <support/combinator_cases.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using Cases = ::testing::Types<SegregatorCase, BucketizerCase, GeometricBucketizerCase,
                               FallbackCase, AffixCase, SizedAffixCase, QuantizerCase, StatsCase,
                               LimitCase, FailAfterCase, LockedCase, MutexCase, ThreadLocalCase,
                               CallbackCase, DeterministicCase, TowerCase>;

} // namespace alloclab

#include <support/conformance_suite.hpp>
