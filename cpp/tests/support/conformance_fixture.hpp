// SPDX-License-Identifier: MIT
#pragma once

#include <support/live_blocks.hpp>

#include <alloclab/alloc/concept.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

namespace alloclab {

using CountedPages = CountingSource<OsPageSource>;
using CountingRef = SourceRef<CountedPages>;

// What the suites that run on every allocator share: the allocator of a case on a source that is
// asked at the end whether it got every page back, and requests as the case can take them.
template <class Case> class ConformanceTest : public ::testing::Test {
protected:
    using A = typename Case::template Of<CountingRef>;

    ~ConformanceTest() override { EXPECT_EQ(source_.mapped_bytes(), 0U) << "pages left mapped"; }

    std::size_t any_size(Rng& rng) const {
        // Half small, the rest spread over the powers of two.
        const std::uint64_t shift = 1 + rng.below(std::bit_width(Case::max_size));
        return std::min<std::size_t>(rng.below(std::uint64_t{1} << shift), Case::max_size);
    }
    std::size_t any_alignment(Rng& rng) const {
        const bool is_default = rng.below(4) != 0;
        const std::uint64_t shift = rng.below(std::bit_width(Case::max_alignment));
        return is_default ? default_alignment : std::size_t{1} << shift;
    }

    CountedPages source_;
};

} // namespace alloclab
