// SPDX-License-Identifier: MIT
#pragma once

#include <pybind11/pybind11.h>

namespace alloclab::bindings {

void bind_trace(pybind11::module_& module);
void bind_trace_builder(pybind11::module_& module);
void bind_growth(pybind11::module_& module);
void bind_seal(pybind11::module_& module);
void bind_import(pybind11::module_& module);
void bind_placement(pybind11::module_& module);
void bind_alloc(pybind11::module_& module);
void bind_alloc_numpy(pybind11::module_& module);
void bind_reports(pybind11::module_& module);
void bind_shared(pybind11::module_& module);
void bind_tables(pybind11::module_& module);

// Sets the lab's Python error of that name, a class of alloclab.errors.
void raise_python(const char* name, const char* message);

// `tp_new` of what only this module makes: one made by `__new__` alone, as copying does, would hold
// no object.
PyObject* refuse_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords);

} // namespace alloclab::bindings
