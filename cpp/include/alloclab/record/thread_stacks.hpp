// SPDX-License-Identifier: MIT
#pragma once

// Where the stacks of all threads of this process lie, without stopping any of them.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// A thread, as far as its stack goes.
struct StackPlace {
    std::uintptr_t sp;
    std::uintptr_t control; // its control block, above its thread-local variables; 0: not known
};

// The calling thread's stack reaches down to here now: where it is looked for while it runs.
// Cost: a store, and a system call the first time.
void note_stack(const void* frame_address);

// The calling thread ends.
void forget_own_stack();

// Lists the calling thread, from `frame_address` up, and every other: one that sleeps in a system
// call or was put aside by where the kernel says its stack pointer is, one that runs by where it
// called note_stack() last. One that runs and never did is left out. Returns how many.
// Cost: three system calls a thread.
std::size_t find_stacks(const void* frame_address, StackPlace* places, std::size_t most);

// In a forked child, which has one thread.
void forget_stacks();

} // namespace alloclab::record
