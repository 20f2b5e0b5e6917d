// SPDX-License-Identifier: MIT
#include "blocks.hpp"
#include "domains.hpp"

#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>

#include <cstring>

// NumPy's data handlers are specified in NEP 49, https://numpy.org/neps/nep-0049.html.

namespace py = pybind11;

namespace alloclab::recording {

using capture::Call;

namespace {

constexpr const char* capsule_name = "mem_handler"; // the name NumPy asks for

// Invariant: `real` is the table in the capsule `wrapped`, which this has a reference to. An array
// has a reference to its handler for life, so this outlives the recording.
struct WatchedHandler {
    PyDataMem_Handler table;
    PyDataMem_Handler* real;
    PyObject* wrapped;
};

PyDataMemAllocator& real_of(void* context) {
    return static_cast<WatchedHandler*>(context)->real->allocator;
}

void* numpy_malloc(void* context, std::size_t size) {
    PyDataMemAllocator& real = real_of(context);
    return allocate(Domain::numpy, Call::malloc, size, [&] { return real.malloc(real.ctx, size); });
}

void* numpy_calloc(void* context, std::size_t count, std::size_t each_bytes) {
    PyDataMemAllocator& real = real_of(context);
    std::size_t size = 0;
    if (__builtin_mul_overflow(count, each_bytes, &size))
        size = SIZE_MAX;
    return allocate(Domain::numpy, Call::calloc, size,
                    [&] { return real.calloc(real.ctx, count, each_bytes); });
}

void* numpy_realloc(void* context, void* old, std::size_t size) {
    PyDataMemAllocator& real = real_of(context);
    return reallocate(Domain::numpy, old, size, [&] { return real.realloc(real.ctx, old, size); });
}

void numpy_free(void* context, void* p, std::size_t size) {
    PyDataMemAllocator& real = real_of(context);
    recording::free(p, [&] { real.free(real.ctx, p, size); });
}

void drop_handler(PyObject* capsule) {
    auto* const handler = static_cast<WatchedHandler*>(PyCapsule_GetPointer(capsule, capsule_name));
    Py_DECREF(handler->wrapped);
    delete handler;
}

void import_numpy() {
    static const bool is_imported = _import_array() == 0;
    if (!is_imported)
        throw py::error_already_set();
}

py::object current_handler() {
    PyObject* const current = PyDataMem_GetHandler();
    if (current == nullptr)
        throw py::error_already_set();
    return py::reinterpret_steal<py::object>(current);
}

bool is_ours(const py::object& handler) {
    const auto* const table =
        static_cast<PyDataMem_Handler*>(PyCapsule_GetPointer(handler.ptr(), capsule_name));
    return table != nullptr && table->allocator.malloc == numpy_malloc;
}

void set_handler(PyObject* handler) {
    PyObject* const before = PyDataMem_SetHandler(handler);
    if (before == nullptr)
        throw py::error_already_set();
    Py_DECREF(before);
}

} // namespace

py::object watch_numpy() {
    import_numpy();
    py::object before = current_handler();
    if (is_ours(before))
        return py::none();
    auto* const real =
        static_cast<PyDataMem_Handler*>(PyCapsule_GetPointer(before.ptr(), capsule_name));
    auto handler = std::make_unique<WatchedHandler>();
    handler->table.version = 1;
    std::memcpy(handler->table.name, real->name, sizeof handler->table.name);
    handler->table.allocator = {handler.get(), numpy_malloc, numpy_calloc, numpy_realloc,
                                numpy_free};
    handler->real = real;
    // The capsule points at the table, which is the handler's first member.
    const auto capsule =
        py::reinterpret_steal<py::object>(PyCapsule_New(handler.get(), capsule_name, drop_handler));
    if (!capsule)
        throw py::error_already_set();
    handler.release()->wrapped = before.inc_ref().ptr();
    set_handler(capsule.ptr());
    return before;
}

void unwatch_numpy(const py::object& before) {
    import_numpy();
    if (!before.is_none() && is_ours(current_handler()))
        set_handler(before.ptr());
}

} // namespace alloclab::recording
