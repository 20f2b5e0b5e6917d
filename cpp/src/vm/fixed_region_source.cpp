// SPDX-License-Identifier: MIT
#include <alloclab/vm/fixed_region_source.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cstdint>

namespace alloclab {
namespace {

// Bytes from `memory` to the next multiple of `alignment`.
std::size_t gap_before(const std::byte* memory, std::size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return align_up(address, alignment) - address;
}

} // namespace

FixedRegionSource::FixedRegionSource(std::span<std::byte> region) noexcept
    : first_(region.data()), next_(region.data()), end_(region.data()) {
    const std::size_t gap_bytes = gap_before(region.data(), page_bytes);
    if (gap_bytes < region.size()) {
        first_ = next_ = region.data() + gap_bytes;
        end_ = first_ + align_down(region.size() - gap_bytes, page_bytes);
    }
}

void* FixedRegionSource::map(std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t gap_bytes = gap_before(next_, alignment);
    if (gap_bytes > free_bytes() || bytes > free_bytes() - gap_bytes) {
        return nullptr;
    }
    std::byte* const memory = next_ + gap_bytes;
    next_ = memory + bytes;
    ++live_count_;
    return memory;
}

void FixedRegionSource::unmap(void* memory, std::size_t bytes) noexcept {
    auto* const first = static_cast<std::byte*>(memory);
    --live_count_;
    if (live_count_ == 0) {
        next_ = first_;
    } else if (first + bytes == next_) {
        next_ = first;
    }
}

bool FixedRegionSource::extend(void* memory, std::size_t bytes, std::size_t new_bytes) noexcept {
    const std::size_t more_bytes = new_bytes - bytes;
    if (static_cast<std::byte*>(memory) + bytes != next_ || more_bytes > free_bytes()) {
        return false;
    }
    next_ += more_bytes;
    return true;
}

} // namespace alloclab
