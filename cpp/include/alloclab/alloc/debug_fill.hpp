// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <emmintrin.h>

namespace alloclab {

// What freed memory reads as: an address made of it traps, a number of it catches the eye.
inline constexpr unsigned char freed_fill = 0xDD;

// The bytes from the first to the last that are not the fill; count 0 means all are.
struct DamagedBytes {
    std::size_t first = 0;
    std::size_t count = 0;
};
DamagedBytes find_damage(const void* memory, std::size_t size, unsigned char fill) noexcept;

// Blocks of these sizes, most there are, are gone through in as many steps as the largest takes,
// the last ones over the same bytes: no branch depends on the size then, and a branch that is
// foretold wrongly costs more than the steps.
inline constexpr std::size_t least_even_bytes = 64;
inline constexpr std::size_t most_even_bytes = 320;

// Fills memory for the time it is not in use.
inline void fill_freed(void* memory, std::size_t size) noexcept {
    auto* const bytes = static_cast<char*>(memory);
    const __m128i fill = _mm_set1_epi8(static_cast<char>(freed_fill));
    const auto store = [bytes, fill](std::size_t offset) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + offset), fill);
    };
    if (size - least_even_bytes <= most_even_bytes - least_even_bytes) [[likely]] {
        const std::size_t last = size - 64;
#pragma GCC unroll 5
        for (std::size_t step = 0; step < most_even_bytes; step += 64) {
            const std::size_t offset = step < last ? step : last;
            store(offset);
            store(offset + 16);
            store(offset + 32);
            store(offset + 48);
        }
        return;
    }
    if (size < 16 || size > 512) {
        std::memset(bytes, freed_fill, size);
        return;
    }
    for (std::size_t offset = 0; offset + 16 < size; offset += 16) {
        store(offset);
    }
    store(size - 16);
}

// Whether all of it still is the fill.
inline bool is_freed_fill(const void* memory, std::size_t size) noexcept {
    const auto* const bytes = static_cast<const char*>(memory);
    if (size < 16) {
        return find_damage(memory, size, freed_fill).count == 0;
    }
    const __m128i fill = _mm_set1_epi8(static_cast<char>(freed_fill));
    const auto load = [bytes](std::size_t offset) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + offset));
    };
    const auto differs_in_64 = [load, fill](std::size_t offset) {
        const __m128i low =
            _mm_or_si128(_mm_xor_si128(load(offset), fill), _mm_xor_si128(load(offset + 16), fill));
        const __m128i high = _mm_or_si128(_mm_xor_si128(load(offset + 32), fill),
                                          _mm_xor_si128(load(offset + 48), fill));
        return _mm_or_si128(low, high);
    };
    __m128i differs = _mm_setzero_si128();
    if (size - least_even_bytes <= most_even_bytes - least_even_bytes) [[likely]] {
        const std::size_t last = size - 64;
#pragma GCC unroll 5
        for (std::size_t step = 0; step < most_even_bytes; step += 64) {
            differs = _mm_or_si128(differs, differs_in_64(step < last ? step : last));
        }
    } else {
        differs = _mm_xor_si128(load(size - 16), fill);
        std::size_t offset = 0;
        for (; offset + 64 <= size; offset += 64) {
            differs = _mm_or_si128(differs, differs_in_64(offset));
        }
        for (; offset + 16 < size; offset += 16) {
            differs = _mm_or_si128(differs, _mm_xor_si128(load(offset), fill));
        }
    }
    return _mm_movemask_epi8(_mm_cmpeq_epi8(differs, _mm_setzero_si128())) == 0xFFFF;
}

} // namespace alloclab
