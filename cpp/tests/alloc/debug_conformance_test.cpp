// SPDX-License-Identifier: MIT
// The conformance suite on the debugging blocks.

#include <support/debug_cases.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using Cases = ::testing::Types<GuardCase, QuarantineCase, TraceCase, DebugPoolCase, DebugArenaCase>;

} // namespace alloclab

#include <support/conformance_suite.hpp>
