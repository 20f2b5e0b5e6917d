// SPDX-License-Identifier: MIT
// The conformance suite on the allocators of this layer.

#include <support/allocator_cases.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using Cases = ::testing::Types<ArenaCase, PagedArenaCase, FreelistCase, CheckedFreelistCase,
                               PoolCase, TlsfCase, BuddyCase, SlabCase, PageAllocatorCase,
                               PlatformCase, RocArenaCase, FrameArenaCase, DoubleEndedCase>;

} // namespace alloclab

#include <support/conformance_suite.hpp>
