// SPDX-License-Identifier: MIT
#pragma once

// What stands in front of Python's allocators and of NumPy's.

#include <pybind11/pybind11.h>

#include <cstdint>

namespace alloclab::recording {

// Puts the functions in front of Python's three domains, where calls do not reach them yet. They
// stay: another library may have put its own in front of them.
// Requires: the gate is closed; the interpreter's lock.
void stand_before_domains();

// How many frames of Python a block's site has at most; 0: none. Set while the gate is closed.
extern std::uint32_t site_depth;

// Makes NumPy's data in the current context come through the recorder. Returns the handler that
// served it before, None where it was there already.
pybind11::object watch_numpy();
// Puts that handler back, if the recorder's own is the current one.
void unwatch_numpy(const pybind11::object& before);

} // namespace alloclab::recording
