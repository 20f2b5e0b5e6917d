// SPDX-License-Identifier: MIT
#include <alloclab/alloc/platform.hpp>

#include <alloclab/base/bits.hpp>

#include <array>
#include <cstdint>
#include <cstring>

namespace alloclab {

std::size_t platform_header_bytes() noexcept {
    // 100 blocks of a size programs seldom ask for: most come from one run, one behind the other.
    constexpr std::size_t probe_bytes = 1000;
    std::array<void*, 100> blocks{};
    std::size_t least_distance = SIZE_MAX;
    for (std::size_t block_idx = 0; block_idx < blocks.size(); ++block_idx) {
        blocks[block_idx] = std::malloc(probe_bytes);
        const auto address = reinterpret_cast<std::uintptr_t>(blocks[block_idx]);
        for (std::size_t earlier_idx = 0; earlier_idx < block_idx; ++earlier_idx) {
            const auto earlier = reinterpret_cast<std::uintptr_t>(blocks[earlier_idx]);
            const std::size_t distance = address > earlier ? address - earlier : earlier - address;
            least_distance = std::min(least_distance, distance);
        }
    }
    const std::size_t usable_bytes = ::malloc_usable_size(blocks[0]);
    for (void* const block : blocks) {
        std::free(block);
    }
    return least_distance > usable_bytes ? least_distance - usable_bytes : 0;
}

void* Platform::allocate_aligned(std::size_t size, std::size_t alignment) noexcept {
    constexpr std::size_t limit = SIZE_MAX / 4; // what some mallocs do not survive
    if (size > limit || alignment > limit) {
        return nullptr;
    }
    void* block = nullptr;
    return ::posix_memalign(&block, alignment, size) == 0 ? block : nullptr;
}

void* Platform::allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
    if (alignment <= default_alignment) {
        return note(std::calloc(1, size));
    }
    void* const block = allocate(size, alignment);
    return block == nullptr ? block : std::memset(block, 0, size);
}

PlatformStats Platform::stats() const noexcept {
    static const std::size_t header_bytes = platform_header_bytes();
    Stats stats;
    stats.block_live_bytes = block_live_bytes_;
    stats.live_count = live_count_;
    stats.reserved_bytes = block_live_bytes_ + live_count_ * header_bytes;
    stats.committed_bytes = stats.reserved_bytes;
    return stats;
}

} // namespace alloclab
