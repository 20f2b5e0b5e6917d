// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "call_site.hpp"
#include "live_heap.hpp"

#include <alloclab/base/bits.hpp>

#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>

#include <algorithm>
#include <cstring>

// NumPy's data handlers are specified in NEP 49, https://numpy.org/neps/nep-0049.html.

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

constexpr const char* capsule_name = "mem_handler"; // the name NumPy asks for

// What NumPy calls, and the heap it keeps alive: every array has a reference to the capsule that
// owns this.
struct NumpyHandler {
    PyDataMem_Handler table{};
    std::shared_ptr<LiveHeap> heap;
    std::size_t header_bytes = 0; // also the alignment of the data
    const char* tag = nullptr;
};

// Stands at the start of the header: NumPy does not tell the old size when it reallocates, and a
// changed shape may make it tell another one when it frees.
struct Header {
    std::size_t data_bytes;
};

NumpyHandler& handler_of(void* context) {
    return *static_cast<NumpyHandler*>(context);
}

void* take(NumpyHandler& handler, std::size_t size, bool is_zeroed = false) noexcept {
    if (size > PTRDIFF_MAX - handler.header_bytes) {
        return nullptr;
    }
    AllocationSite site;
    try {
        const AnyAllocator* const allocator = handler.heap->allocator();
        site = call_site(std::nullopt, allocator != nullptr && allocator->has_sites());
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    site.tag = handler.tag;
    void* const block = handler.heap->allocate_foreign(size + handler.header_bytes,
                                                       handler.header_bytes, site, is_zeroed);
    if (block == nullptr) {
        return nullptr;
    }
    static_cast<Header*>(block)->data_bytes = size;
    return static_cast<char*>(block) + handler.header_bytes;
}

void* numpy_malloc(void* context, std::size_t size) {
    return take(handler_of(context), size);
}

void* numpy_calloc(void* context, std::size_t count, std::size_t each_bytes) {
    std::size_t size = 0;
    if (__builtin_mul_overflow(count, each_bytes, &size)) {
        return nullptr;
    }
    return take(handler_of(context), size, true);
}

void numpy_free(void* context, void* data, std::size_t /*size*/) {
    if (data == nullptr) {
        return;
    }
    NumpyHandler& handler = handler_of(context);
    void* const block = static_cast<char*>(data) - handler.header_bytes;
    const std::size_t size = static_cast<Header*>(block)->data_bytes;
    handler.heap->deallocate_foreign(block, size + handler.header_bytes, handler.header_bytes);
}

void* numpy_realloc(void* context, void* data, std::size_t new_size) {
    NumpyHandler& handler = handler_of(context);
    if (data == nullptr) {
        return take(handler, new_size);
    }
    auto* const header = reinterpret_cast<Header*>(static_cast<char*>(data) - handler.header_bytes);
    const std::size_t old_size = header->data_bytes;
    if (new_size <= PTRDIFF_MAX - handler.header_bytes &&
        handler.heap->resize_foreign(header, old_size + handler.header_bytes,
                                     new_size + handler.header_bytes, handler.header_bytes)) {
        header->data_bytes = new_size;
        return data;
    }
    void* const moved = take(handler, new_size);
    if (moved != nullptr) {
        std::memcpy(moved, data, std::min(old_size, new_size));
        numpy_free(context, data, old_size);
    }
    return moved;
}

py::capsule make_handler(const std::shared_ptr<LiveHeap>& heap, std::size_t alignment,
                         const std::string& name) {
    if (alignment < sizeof(Header) || !is_power_of_two(alignment)) {
        throw py::value_error("an alignment of NumPy data is a power of two from 8: " +
                              std::to_string(alignment));
    }
    auto handler = std::make_unique<NumpyHandler>();
    handler->heap = heap;
    handler->header_bytes = alignment;
    handler->tag = interned("numpy");
    name.copy(handler->table.name, sizeof handler->table.name - 1);
    handler->table.version = 1;
    handler->table.allocator = {handler.get(), numpy_malloc, numpy_calloc, numpy_realloc,
                                numpy_free};
    static_assert(std::is_standard_layout_v<PyDataMem_Handler>);
    // The capsule points at the table, which is the handler's first member.
    return py::capsule(static_cast<void*>(handler.release()), capsule_name, [](PyObject* capsule) {
        delete static_cast<NumpyHandler*>(PyCapsule_GetPointer(capsule, capsule_name));
    });
}

// Makes `handler` the current one, or NumPy's own for None, and returns the one before.
py::object set_handler(const py::object& handler) {
    PyObject* const before = PyDataMem_SetHandler(handler.is_none() ? nullptr : handler.ptr());
    if (before == nullptr) {
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(before);
}

} // namespace

void bind_alloc_numpy(py::module_& module) {
    if (_import_array() < 0) {
        throw py::error_already_set();
    }
    module.def("make_numpy_handler", &make_handler, py::arg("heap"), py::arg("alignment"),
               py::arg("name"));
    module.def("set_numpy_handler", &set_handler, py::arg("handler"));
}

} // namespace alloclab::bindings
