// SPDX-License-Identifier: MIT
#include <alloclab/alloc/debug_fill.hpp>
#include <alloclab/alloc/guard.hpp>

namespace alloclab {

DamagedBytes find_damage(const void* memory, std::size_t size, unsigned char fill) noexcept {
    const auto* const bytes = static_cast<const unsigned char*>(memory);
    std::size_t first = 0;
    while (first < size && bytes[first] == fill) {
        ++first;
    }
    std::size_t last = size;
    while (last > first && bytes[last - 1] == fill) {
        --last;
    }
    return {first, last - first};
}

// The side that is damaged; where both are, the one before, because a stray write that began there
// may have run through the block.
GuardDamage find_guard_damage(const void* block, std::size_t size) noexcept {
    const auto* const bytes = static_cast<const std::byte*>(block);
    const DamagedBytes before = find_damage(bytes - guard_bytes, guard_bytes, guard_fill);
    if (before.count != 0) {
        return {true,
                static_cast<std::ptrdiff_t>(before.first) -
                    static_cast<std::ptrdiff_t>(guard_bytes),
                before.count};
    }
    const std::size_t after_bytes = align_up(size, guard_bytes) + guard_bytes - size;
    const DamagedBytes after = find_damage(bytes + size, after_bytes, guard_fill);
    return {false, static_cast<std::ptrdiff_t>(size + after.first), after.count};
}

} // namespace alloclab
