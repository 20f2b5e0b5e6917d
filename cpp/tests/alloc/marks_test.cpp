// SPDX-License-Identifier: MIT
// The suite of marks on the leaves that have them and the layers that pass them on.

#include <support/marking_cases.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using MarkingCases = ::testing::Types<ArenaCase, PagedArenaCase, RocArenaCase, DoubleEndedCase,
                                      DeterministicArenaCase, FailAfterArenaCase,
                                      QuantizerArenaCase, SizedAffixArenaCase, GuardArenaCase,
                                      QuarantineArenaCase, TraceArenaCase, DebugArenaCase>;

} // namespace alloclab

#include <support/marks_suite.hpp>
