// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/summary_fields.hpp>

#include <pybind11/pybind11.h>

namespace alloclab::bindings {

// A summary as Python has it: its counts by name.
inline pybind11::dict dict_of(const TraceSummary& summary) {
    pybind11::dict result;
    for_each_field(summary, [&](const char* name, std::uint64_t value) { result[name] = value; });
    return result;
}

} // namespace alloclab::bindings
