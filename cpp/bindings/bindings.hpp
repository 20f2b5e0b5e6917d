// SPDX-License-Identifier: MIT
#pragma once

#include <pybind11/pybind11.h>

namespace alloclab::bindings {

void bind_trace(pybind11::module_& module);
void bind_seal(pybind11::module_& module);
void bind_placement(pybind11::module_& module);

} // namespace alloclab::bindings
