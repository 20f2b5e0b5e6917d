// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/size_steps.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// The settings of the combinators themselves. Each `set` returns false, having changed nothing, for
// an unknown name or a value out of range.

struct SegregatorOptions {
    std::size_t threshold_bytes = 256; // the largest size that is small
    // A block aligned to more than this is never small, whatever its size.
    std::size_t small_alignment_bytes = default_alignment;

    // Names: threshold_bytes, small_alignment_bytes (a power of two).
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct QuantizerOptions {
    SizeSteps steps{16, 0};

    // Names: quantum_bytes (a power of two, at most 1 GiB), steps_per_doubling (a power of two, at
    // most 64; 0 is none: multiples of the quantum only).
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct BucketizerOptions {
    std::size_t min_bytes = 1; // the smallest and the largest size that is served
    std::size_t max_bytes = 256;
    std::size_t step_bytes = 16; // used where steps_per_doubling is 0
    std::size_t steps_per_doubling = 0;

    // Names: min_bytes, max_bytes, step_bytes (a power of two), steps_per_doubling
    // (as for the quantizer); sizes are at most 1 GiB.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct AffixOptions {
    std::size_t prefix_bytes = 16;
    std::size_t suffix_bytes = 0;

    // Names: prefix_bytes, suffix_bytes (both at most 1 MiB).
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct LimitOptions {
    std::size_t limit_bytes = SIZE_MAX;

    // Names: limit_bytes.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// What becomes of a thread's allocator when the thread ends. Either way the next new thread takes
// it over, with the blocks that still live in it.
//   keep    it stays as it is
//   drain   what other threads freed of it is freed now, and if nothing lives it is reset
enum class ThreadExit : std::uint8_t { keep, drain };

struct ThreadLocalOptions {
    ThreadExit on_exit = ThreadExit::keep;

    // Names: on_exit (keep, drain).
    bool set(std::string_view name, std::string_view value) noexcept;
};

} // namespace alloclab
