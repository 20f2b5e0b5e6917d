// SPDX-License-Identifier: MIT
#pragma once

// Walks a thread's stack by rules (unwind_rules.hpp), not by way of the C++ runtime, whose walker
// takes locks and a microsecond a frame.

#include <alloclab/record/stack_reader.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// The registers as they are on return to a caller.
struct Caller {
    std::uintptr_t pc; // the return address
    std::uintptr_t sp;
    std::uintptr_t bp;
};

// Of a function that has a frame pointer: one that asked for __builtin_frame_address(0).
inline Caller caller_of(const void* frame_address) {
    const auto* const words = static_cast<const std::uintptr_t*>(frame_address);
    return {words[1], reinterpret_cast<std::uintptr_t>(words + 2), words[0]};
}

struct Walk {
    std::size_t count; // of addresses
    bool is_cut;       // it ended where the stack did not, for want of a rule or of readable memory
};

inline constexpr std::size_t most_frames = 64;

// Stores return addresses, innermost first, from the caller's own on, at most `depth`. Where a
// signal interrupted a function, it is the interrupted instruction's address plus one, so that the
// byte before each address lies in the instruction meant.
// Requires: depth <= most_frames.
Walk walk_stack(const Caller& caller, OwnStack& own, std::uintptr_t* addresses, std::size_t depth);

} // namespace alloclab::record
