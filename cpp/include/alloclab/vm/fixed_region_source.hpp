// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/page_source.hpp>

#include <span>

namespace alloclab {

// Pages from one range of memory the caller owns: a static array, shared memory, a huge page.
// Handed out in address order; only the range given out last comes back for reuse at once, the rest
// when everything is unmapped.
//   first of region <= next <= end of region; live_count = ranges mapped and not unmapped
// Requires: the region outlives the source; one thread at a time.
class FixedRegionSource {
public:
    // The contents are the caller's, and pages that come back are dirty.
    static constexpr bool maps_zeroed = false;

    // Part of the region before the first and after the last page boundary is not used.
    explicit FixedRegionSource(std::span<std::byte> region) noexcept;

    // Returns null when what is left of the region is too small. Requirements as for PageSource.
    void* map(std::size_t bytes, std::size_t alignment) noexcept;
    void unmap(void* memory, std::size_t bytes) noexcept;

    // Only the range handed out last can grow.
    bool extend(void* memory, std::size_t bytes, std::size_t new_bytes) noexcept;

    std::size_t free_bytes() const noexcept { return static_cast<std::size_t>(end_ - next_); }

private:
    std::byte* first_;
    std::byte* next_;
    std::byte* end_;
    std::size_t live_count_ = 0;
};

static_assert(ExtendingSource<FixedRegionSource>);

} // namespace alloclab
