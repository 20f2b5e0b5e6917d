// SPDX-License-Identifier: MIT
#include "call_site.hpp"

#include <pybind11/pybind11.h>

#include <unordered_set>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

// Whether the frame is the lab's own Python, between the caller and the core.
bool is_ours(PyFrameObject* frame) {
    const auto globals = py::reinterpret_steal<py::dict>(PyFrame_GetGlobals(frame));
    PyObject* const name = PyDict_GetItemString(globals.ptr(), "__name__"); // borrowed
    if (name == nullptr || !PyUnicode_Check(name)) {
        return false;
    }
    Py_ssize_t length = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(name, &length);
    constexpr std::string_view ours = "alloclab.";
    if (text == nullptr) {
        PyErr_Clear();
        return false;
    }
    return std::string_view(text, static_cast<std::size_t>(length)).starts_with(ours);
}

void add_line(AllocationSite& site) {
    auto frame = py::reinterpret_steal<py::object>(
        reinterpret_cast<PyObject*>(PyThreadState_GetFrame(PyThreadState_Get())));
    while (frame && is_ours(reinterpret_cast<PyFrameObject*>(frame.ptr()))) {
        frame = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(
            PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(frame.ptr()))));
    }
    if (!frame) {
        return;
    }
    auto* const found = reinterpret_cast<PyFrameObject*>(frame.ptr());
    const auto code =
        py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(found)));
    const char* const file =
        PyUnicode_AsUTF8(reinterpret_cast<PyCodeObject*>(code.ptr())->co_filename);
    if (file == nullptr) {
        PyErr_Clear();
        return;
    }
    site.file = interned(file);
    site.line = static_cast<std::uint32_t>(PyFrame_GetLineNumber(found));
}

} // namespace

const char* interned(std::string_view text) {
    // Never freed: sites may be read until the very end of the process.
    static auto& texts = *new std::unordered_set<std::string>();
    return texts.emplace(text).first->c_str();
}

AllocationSite call_site(const std::optional<std::string>& tag, bool has_line) {
    AllocationSite site;
    if (tag) {
        site.tag = interned(*tag);
    }
    if (has_line) {
        add_line(site);
    }
    return site;
}

} // namespace alloclab::bindings
