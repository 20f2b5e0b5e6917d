// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

struct QuarantineOptions {
    // Freed blocks wait until this many others were freed after them ...
    std::size_t blocks = 1024;
    // ... or until those that wait hold more than this; a larger block does not wait.
    std::size_t bytes = std::size_t{1} << 20;

    // Names: quarantine_blocks (0 to 2^24; 0 is none), quarantine_bytes (0 to 1 TiB). Returns
    // false, and changes nothing, for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

} // namespace alloclab
