// SPDX-License-Identifier: MIT
#pragma once

// Walks a thread's stack by rules (unwind_rules.hpp), not by way of the C++ runtime, whose walker
// takes locks and a microsecond a frame. What a walk learnt is kept for the next: of two stacks of
// one thread most frames are the same.

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
    bool is_of_handler = false; // it went from a signal's handler to what that interrupted
};

inline constexpr std::size_t most_frames = 64;

// A frame, and how it was found from the one it called: the return address lay below its stack
// pointer, and its rbp at `saved_rbp_at`.
struct KnownFrame {
    Caller caller;
    std::uintptr_t saved_rbp_at;
    std::uintptr_t saved_rbp; // what was there
};

// What is known of one thread's stack.
// Invariant: frames[0, count) lie on the thread's own stack, their stack pointers ascend, and
// frames[n + 1] follows from frames[n] by the rule of its pc as long as memory holds the return
// address and saved rbp of frames[n + 1].
struct KnownStack {
    static constexpr std::size_t most_known = 2 * most_frames;
    OwnStack own;
    std::size_t count;
    KnownFrame frames[most_known];
};

// Stores return addresses, innermost first, from the caller's own on, at most `depth`. Where a
// signal interrupted a function, it is the interrupted instruction's address plus one, so that the
// byte before each address lies in the instruction meant.
// Requires: depth <= most_frames. Cost: two loads a frame where the stack is as before.
Walk walk_stack(const Caller& caller, KnownStack& known, std::uintptr_t* addresses,
                std::size_t depth);

} // namespace alloclab::record
