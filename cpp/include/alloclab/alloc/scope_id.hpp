// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>

namespace alloclab {

// Names one scope for ever: numbers count up from 1 and are never used again (rows L2, L11, L12).
struct ScopeId {
    std::uint64_t number = 0; // 0 is no scope

    explicit operator bool() const noexcept { return number != 0; }
    friend auto operator<=>(const ScopeId&, const ScopeId&) = default;
};

// What an exit does that is not the innermost scope's.
//   strict     refuses it: nothing changes, and it is counted
//   tolerant   as lex-lang's runtime does: an unknown id is ignored, an outer scope takes every
//              scope within it along
enum class ScopeExit : std::uint8_t { strict, tolerant };

} // namespace alloclab
