// SPDX-License-Identifier: MIT
#pragma once

// Moves the first instructions of a function elsewhere, so that a jump can stand in their place.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

inline constexpr std::size_t jump_bytes = 5; // what has to move: a near jump's length
inline constexpr std::size_t moved_most_bytes = 64;

struct MovedPrologue {
    std::size_t taken; // bytes at the entry, whole instructions; 0: refused
    std::size_t bytes; // written to `out`, without a way back
    const char* refusal;
};

// Copies whole instructions of at least a jump's length from `entry` to `out`, as they have to be
// at `out`: what is relative to the instruction's place is corrected. Knows what compilers begin
// functions with, and refuses all else, calls included; also where the function, of `size` bytes,
// seems to jump back into what would move.
// Requires: moved_most_bytes at `out`, within two gigabytes of `entry`.
MovedPrologue move_prologue(const unsigned char* entry, std::size_t size, unsigned char* out);

} // namespace alloclab::record
