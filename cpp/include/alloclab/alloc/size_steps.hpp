// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace alloclab {

// Sizes in steps: multiples of a quantum, and above some size, if asked, a fixed number of steps
// between one power of two and the next, so that rounding up never wastes more than a fixed share.
// One step a doubling is rounding to powers of two, four is the spacing of jemalloc.
// Requires: both are powers of two; steps_per_doubling may be 0.
struct SizeSteps {
    std::size_t quantum_bytes = 16;
    std::size_t steps_per_doubling = 0;

    // Returns the step that holds `size`, at least the quantum, or 0 when it does not fit.
    constexpr std::size_t round_up(std::size_t size) const noexcept {
        const std::size_t step = std::max(quantum_bytes, step_at(size));
        if (size == 0) {
            return step;
        }
        return size <= SIZE_MAX - (step - 1) ? align_up(size, step) : 0;
    }

private:
    // The distance of the steps around `size`.
    constexpr std::size_t step_at(std::size_t size) const noexcept {
        if (steps_per_doubling == 0 || size < 2) {
            return 1;
        }
        return std::max<std::size_t>(std::bit_floor(size - 1) / steps_per_doubling, 1);
    }
};

// Sizes numbered by geometric steps: `number_of` counts from 0 at size 1 and grows by one a step,
// `largest_of` is the largest size with a number. The first sizes have a step of their own each.
// Requires: steps_per_doubling is a power of two; the size is not 0.
struct GeometricSteps {
    std::size_t steps_per_doubling = 4;

    constexpr std::size_t number_of(std::size_t size) const noexcept {
        const auto lg_steps = static_cast<unsigned>(std::countr_zero(steps_per_doubling));
        const auto width = static_cast<unsigned>(std::bit_width(size - 1));
        const unsigned shift = width > lg_steps + 1 ? width - lg_steps - 1 : 0;
        return (std::size_t{shift} << lg_steps) + ((size - 1) >> shift);
    }
    constexpr std::size_t largest_of(std::size_t number) const noexcept {
        const auto lg_steps = static_cast<unsigned>(std::countr_zero(steps_per_doubling));
        const std::size_t doubling = number >> lg_steps;
        const std::size_t shift = doubling > 1 ? doubling - 1 : 0;
        return (number - (shift << lg_steps) + 1) << shift;
    }
};

} // namespace alloclab
