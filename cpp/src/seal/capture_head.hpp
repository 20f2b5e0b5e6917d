// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/capture_format.hpp>
#include <alloclab/seal/capture_reader.hpp>

#include <cstddef>
#include <span>

namespace alloclab {

// The clocks of a capture, as a rate.
struct CaptureClock {
    std::uint64_t start_ticks{};
    double ns_per_tick{1.0};

    std::uint64_t ns_since_start(std::uint64_t ticks) const {
        if (ticks <= start_ticks)
            return 0;
        const double ns = static_cast<double>(ticks - start_ticks) * ns_per_tick;
        constexpr double most_ns = 9e18;
        return ns < most_ns ? static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(most_ns);
    }
};

struct CaptureHead {
    CaptureHeader header;
    CaptureClock clock;
    std::uint64_t latest_ticks{};
};

// Reads the fixed part of a capture. Throws: TraceError where it is not one.
CaptureHead read_capture_head(std::span<const std::byte> bytes);

} // namespace alloclab
