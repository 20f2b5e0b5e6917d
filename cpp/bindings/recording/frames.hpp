// SPDX-License-Identifier: MIT
#pragma once

// Python frames as frames of the capture.

#include "threads.hpp"

#include <cstdint>

namespace alloclab::recording {

inline constexpr std::uint32_t most_python_frames = 64;

// The number of the stack of Python frames in which this thread is, told in its lane where it is
// new. Returns 0, no site: where it does not hold the interpreter's lock or runs no Python code.
// Requires: an Entry; depth <= most_python_frames.
std::uint32_t find_python_site(RecordedThread& me, std::uint32_t depth);

// Gives up the code objects that were kept while their addresses stood for them.
// Requires: the gate is closed; the interpreter's lock.
void release_codes();

} // namespace alloclab::recording
