// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace alloclab {

// Who asked: what for, and where in the source. Any part may be missing. A site is a view; who
// keeps one copies its texts. `code` is the address of the call, where no more than that is known.
struct AllocationSite {
    const char* tag = nullptr;
    const char* file = nullptr;
    std::uint32_t line = 0;
    const void* code = nullptr;

    bool is_known() const noexcept { return tag != nullptr || file != nullptr || code != nullptr; }
};

// The line this is written on. (clang 14 has the two builtins, and not std::source_location.)
inline AllocationSite site_here(const char* tag = nullptr, const char* file = __builtin_FILE(),
                                std::uint32_t line = __builtin_LINE()) noexcept {
    return {tag, file, line, nullptr};
}

} // namespace alloclab
