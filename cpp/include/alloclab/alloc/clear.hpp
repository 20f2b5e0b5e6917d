// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>

namespace alloclab {

// Sets the first `size` bytes of a block to zero, and what is left of the last 16. Small ones, most
// of what calloc is asked for, by a few stores and no call.
// Requires: the block has at least 16 bytes, and its size is a multiple of 16.
[[gnu::always_inline]] inline void clear_block(void* block, std::size_t size) noexcept {
    auto* const bytes = static_cast<std::byte*>(block);
    if (size > 64) [[unlikely]] {
        std::memset(bytes, 0, size);
        return;
    }
    std::memset(bytes, 0, 16);
    if (size > 16) {
        std::memset(bytes + 16, 0, 16);
    }
    if (size > 32) {
        std::memset(bytes + 32, 0, 16);
    }
    if (size > 48) {
        std::memset(bytes + 48, 0, 16);
    }
}

} // namespace alloclab
