// SPDX-License-Identifier: MIT
#pragma once

// The Python frames of a recorded program that is CPython, or has it as a library: read from the
// interpreter's own structures, whose layout the driver tells (python_layout.h). Nothing here
// allocates, takes a reference or calls what could: an allocation is under way in the interpreter.

#include <alloclab/record/append.hpp>
#include <alloclab/record/modules.hpp>
#include <alloclab/record/python_layout.h>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct PythonFrame {
    std::uintptr_t code;      // a code object, there as long as the frame is
    std::int32_t instruction; // in bytes from its first one
    std::uint64_t key;        // stands for the place; frame_is_named is set
};

// Takes a layout from its numbers in decimal, between commas. Returns whether there are as many as
// there must be, and each is one that can be.
bool parse_python_layout(const char* text, alloclab_python_layout& layout);

// An object was listed, or is about to leave the list: an interpreter may have come or gone. One of
// another version than the layout's is told on stderr, once.
// Requires: the lock of the list of objects.
void meet_python(const Module& module);
void lose_python(const Module& module);

// Whether an interpreter is there whose frames can be read.
extern bool is_python_met;
inline bool has_python() {
    return __builtin_expect(__atomic_load_n(&is_python_met, __ATOMIC_ACQUIRE), false);
}

// The interpreter's state of this thread, or 0 where it does not hold the interpreter's lock.
// Requires: has_python().
std::uintptr_t python_state();

// Stores the innermost Python frames of this thread, at most `most`, innermost first. Returns how
// many: 0 where it runs no Python code. Requires: `state` is python_state(), and not 0.
std::size_t read_python_frames(std::uintptr_t state, PythonFrame* out, std::size_t most);

// Whether an address is one that the interpreter's loop called from: what is below it ran on behalf
// of the innermost Python frame.
bool is_in_python_loop(std::uintptr_t return_address);

// What stands for the frame in the capture, which holds its name afterwards. Returns 0 when the
// name could not be written. Requires: `hold` holds a lane; the frame was read during this call.
std::uint64_t python_frame_word(LaneHold& hold, const PythonFrame& frame);

} // namespace alloclab::record
