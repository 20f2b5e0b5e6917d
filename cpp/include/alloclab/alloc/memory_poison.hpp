// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define ALLOCLAB_HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOCLAB_HAS_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef ALLOCLAB_HAS_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace alloclab {

// How memory that was taken back is made to show it. A dead pointer reads these bytes in a Debug
// build; under AddressSanitizer a touch of it is reported as well.
inline constexpr unsigned char dead_byte = 0xDD;

#ifdef ALLOCLAB_HAS_ADDRESS_SANITIZER
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif

// Forbids touching [first, end), where AddressSanitizer watches; nothing elsewhere.
inline void forbid_touching([[maybe_unused]] std::uintptr_t first,
                            [[maybe_unused]] std::uintptr_t end) noexcept {
#ifdef ALLOCLAB_HAS_ADDRESS_SANITIZER
    __asan_poison_memory_region(reinterpret_cast<void*>(first), end - first);
#endif
}

// Allows it again.
inline void allow_touching([[maybe_unused]] std::uintptr_t first,
                           [[maybe_unused]] std::uintptr_t end) noexcept {
#ifdef ALLOCLAB_HAS_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(reinterpret_cast<void*>(first), end - first);
#endif
}

// Writes the dead byte over [first, end).
inline void fill_dead(std::uintptr_t first, std::uintptr_t end) noexcept {
    if (first < end) {
        allow_touching(first, end);
        std::memset(reinterpret_cast<void*>(first), dead_byte, end - first);
    }
}

} // namespace alloclab
