// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>

#include <cstddef>
#include <cstdint>

#include <sys/mman.h>

namespace alloclab {

// Blocks of no bytes: addresses, each used once, in a range nobody can read or write.
class EmptyBlocks {
public:
    // Null when the range is used up, there is none, or the alignment would waste too much of it.
    void* allocate(std::size_t, std::size_t alignment) noexcept {
        if (alignment > max_alignment || (base_ == nullptr && !open())) {
            return nullptr;
        }
        const std::size_t step = alignment > 16 ? alignment : 16;
        const std::uintptr_t next =
            align_up(reinterpret_cast<std::uintptr_t>(base_) + used_bytes_, step);
        const std::size_t offset = next - reinterpret_cast<std::uintptr_t>(base_);
        if (offset > range_bytes - step) {
            return nullptr;
        }
        used_bytes_ = offset + step;
        return base_ + offset;
    }
    void deallocate(void*, std::size_t, std::size_t) noexcept {}
    bool owns(const void* address) const noexcept {
        return base_ != nullptr && address >= base_ && address < base_ + range_bytes;
    }

private:
    static constexpr std::size_t range_bytes = std::size_t{64} << 30;
    static constexpr std::size_t max_alignment = std::size_t{1} << 24;

    bool open() noexcept {
        void* const memory = ::mmap(nullptr, range_bytes, PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        base_ = memory != MAP_FAILED ? static_cast<std::byte*>(memory) : nullptr;
        return base_ != nullptr;
    }

    std::byte* base_ = nullptr;
    std::size_t used_bytes_ = 0;
};

} // namespace alloclab
