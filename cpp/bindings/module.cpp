// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "live_heap.hpp"

#include <alloclab/base/error.hpp>

namespace py = pybind11;

namespace alloclab::bindings {

void raise_python(const char* name, const char* message) {
    const py::object type = py::module_::import("alloclab.errors").attr(name);
    // A path in the message may be no UTF-8.
    const auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(message));
    PyErr_SetObject(type.ptr(), text.ptr());
}

PyObject* refuse_new(PyTypeObject* type, PyObject* /*arguments*/, PyObject* /*keywords*/) {
    PyErr_Format(PyExc_TypeError, "a %s is given by the lab, not made or copied", type->tp_name);
    return nullptr;
}

} // namespace alloclab::bindings

namespace {

// The lab's Python errors, set from the one place that knows both sides.
void translate(std::exception_ptr thrown) {
    using alloclab::bindings::raise_python;
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const alloclab::TraceError& error) {
        raise_python("TraceError", error.what());
    } catch (const alloclab::bindings::LiveError& error) {
        raise_python(error.python_name, error.what());
    } catch (const alloclab::Error& error) {
        raise_python("Error", error.what());
    }
}

} // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of alloclab; use the package alloclab, not this.";
    module.attr("version") = ALLOCLAB_VERSION;
    module.attr("build_type") = ALLOCLAB_BUILD_TYPE;
    py::register_local_exception_translator(translate);
    alloclab::bindings::bind_trace(module);
    alloclab::bindings::bind_trace_builder(module);
    alloclab::bindings::bind_seal(module);
    alloclab::bindings::bind_import(module);
    alloclab::bindings::bind_placement(module);
    alloclab::bindings::bind_growth(module);
    alloclab::bindings::bind_alloc(module);
    alloclab::bindings::bind_alloc_numpy(module);
    alloclab::bindings::bind_reports(module);
    alloclab::bindings::bind_shared(module);
    alloclab::bindings::bind_tables(module);
}
