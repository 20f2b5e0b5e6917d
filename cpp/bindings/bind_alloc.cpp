// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "call_site.hpp"
#include "live_heap.hpp"
#include "numpy.hpp"

#include <alloclab/base/bits.hpp>
#include <alloclab/compose/build_allocator.hpp>
#include <alloclab/compose/spec_reader.hpp>
#include <alloclab/compose/watched.hpp>

#include <pybind11/functional.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

std::size_t checked_size(py::ssize_t size) {
    if (size < 0) {
        throw py::value_error("a size is not negative: " + std::to_string(size));
    }
    return static_cast<std::size_t>(size);
}

std::size_t checked_alignment(py::ssize_t alignment) {
    if (alignment <= 0 || !is_power_of_two(static_cast<std::size_t>(alignment))) {
        throw py::value_error("an alignment is a power of two: " + std::to_string(alignment));
    }
    return static_cast<std::size_t>(alignment);
}

[[noreturn]] void throw_memory_error(const LiveHeap& heap, std::size_t size,
                                     std::size_t alignment) {
    PyErr_Format(PyExc_MemoryError, "%s: no room for %zu bytes at a multiple of %zu",
                 heap.allocator()->name(), size, alignment);
    throw py::error_already_set();
}

using Tag = std::optional<std::string>;

AllocationSite site_of(const LiveHeap& heap, const Tag& tag) {
    const AnyAllocator* const allocator = heap.allocator();
    return call_site(tag, allocator != nullptr && allocator->has_sites());
}

std::unique_ptr<Block> allocate(LiveHeap& self, py::ssize_t size, py::ssize_t alignment,
                                const Tag& tag, bool is_zeroed) {
    const std::size_t bytes = checked_size(size);
    const std::size_t multiple = checked_alignment(alignment);
    auto block = self.allocate(bytes, multiple, site_of(self, tag), is_zeroed);
    if (block == nullptr) {
        throw_memory_error(self, bytes, multiple);
    }
    return block;
}

std::optional<std::uintptr_t> allocate_address(LiveHeap& self, py::ssize_t size,
                                               py::ssize_t alignment, const Tag& tag) {
    void* const address =
        self.allocate_address(checked_size(size), checked_alignment(alignment), site_of(self, tag));
    if (address == nullptr) {
        return std::nullopt;
    }
    return reinterpret_cast<std::uintptr_t>(address);
}

// Figures of one name, kept by several parts of a stack, are added up.
py::dict stats(const LiveHeap& self) {
    py::dict result;
    if (self.allocator() == nullptr) {
        return result;
    }
    self.allocator()->visit_stats({[](void* context, const char* name, std::uint64_t value) {
                                       auto& into = *static_cast<py::dict*>(context);
                                       const py::str key(name);
                                       const auto before =
                                           into.contains(key) ? into[key].cast<std::uint64_t>() : 0;
                                       const std::uint64_t sum = before + value;
                                       into[key] = sum;
                                   },
                                   &result});
    return result;
}

py::set capabilities(LiveHeap& self) {
    py::set names;
    if (const AnyAllocator* const allocator = self.allocator()) {
        const auto add = [&](bool is_there, const char* name) {
            if (is_there) {
                names.add(name);
            }
        };
        add(allocator->has_resize(), "resize");
        add(allocator->has_reset(), "reset");
        add(allocator->has_owns(), "owns");
        add(allocator->has_usable_size(), "usable_size");
        add(allocator->has_mark(), "mark");
        add(allocator->has_sites(), "sites");
        add(allocator->is_thread_safe(), "thread_safe");
        add(self.trace() != nullptr, "trace");
    }
    return names;
}

// (size, tag, buffers) of every block somebody looks through.
py::list exported(const LiveHeap& self, std::uint64_t first_serial) {
    py::list rows;
    for (const Block* block : self.exported(first_serial)) {
        rows.append(py::make_tuple(block->size(), block->site().tag, block->export_count()));
    }
    return rows;
}

AnyAllocator& open_allocator(LiveHeap& self) {
    if (self.is_closed()) {
        throw LiveError("ScopeClosed", "the allocator is closed");
    }
    return *self.allocator();
}

// A row of the array that events are handed over in.
struct EventRow {
    std::uint64_t block;
    std::uint64_t size;
    std::uint64_t old_size;
    std::uint32_t alignment;
    std::uint8_t kind;
};

py::array to_rows(const std::vector<AllocationEvent>& events) {
    std::vector<EventRow> rows;
    rows.reserve(events.size());
    for (const AllocationEvent& event : events) {
        rows.push_back({reinterpret_cast<std::uintptr_t>(event.block), event.size, event.old_size,
                        event.alignment, static_cast<std::uint8_t>(event.kind)});
    }
    return to_numpy(std::move(rows));
}

// The allocator, in a trace if asked or if its spec begins with one, in a callback block if events
// are wanted.
std::shared_ptr<LiveHeap> make_heap(const std::string& text, bool is_traced,
                                    const py::object& on_events) {
    const AllocatorSpec spec = parse_allocator_spec(text);
    auto defects = std::make_unique<DefectLog>();
    Trace<AnyAllocator>* trace = nullptr;
    const auto traced = [&](auto&& make, const TraceOptions& options) {
        TracedAllocator made = trace_around(make, options);
        trace = made.trace;
        return std::move(made.allocator);
    };
    AnyAllocator allocator = [&] {
        if (spec.name != "trace") {
            const auto build = [&](const DefectHandler& on_defect) {
                return build_allocator(spec, on_defect);
            };
            return is_traced ? traced(build, {}) : build(defects->handler());
        }
        SpecReader reader(spec, spec.name, defects->handler());
        const auto options = reader.options<TraceOptions>();
        AnyAllocator built = traced(
            [&](const DefectHandler& named) { return reader.child("upstream", named); }, options);
        reader.finish();
        return built;
    }();
    Callback<AnyAllocator>* callback = nullptr;
    if (!on_events.is_none()) {
        CallbackAllocator made = callback_around(std::move(allocator));
        callback = made.callback;
        allocator = std::move(made.allocator);
    }
    auto heap = std::make_shared<LiveHeap>(std::move(allocator), std::move(defects));
    if (trace != nullptr) {
        heap->watch(trace);
    }
    if (callback != nullptr) {
        heap->watch(callback, [on_events](const std::vector<AllocationEvent>& events) {
            on_events(to_rows(events));
        });
    }
    return heap;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    auto& block = py::cast<Block&>(py::handle(self));
    try {
        block.begin_export();
    } catch (const LiveError& error) {
        view->obj = nullptr;
        raise_python(error.python_name, error.what());
        return -1;
    }
    if (PyBuffer_FillInfo(view, self, block.address(), static_cast<Py_ssize_t>(block.size()), 0,
                          flags) != 0) {
        block.end_export();
        return -1;
    }
    return 0;
}

void release_buffer(PyObject* self, Py_buffer* /*view*/) {
    py::cast<Block&>(py::handle(self)).end_export();
}

void bind_block(py::module_& module) {
    // pybind11's own buffer protocol has no word for the end of a look.
    const py::custom_type_setup buffers([](PyHeapTypeObject* type) {
        type->as_buffer.bf_getbuffer = get_buffer;
        type->as_buffer.bf_releasebuffer = release_buffer;
        type->ht_type.tp_as_buffer = &type->as_buffer;
        type->ht_type.tp_new = refuse_new;
    });
    const py::custom_type_setup not_made(
        [](PyHeapTypeObject* type) { type->ht_type.tp_new = refuse_new; });
    py::class_<Block>(module, "Block", buffers)
        .def_property_readonly(
            "address",
            [](const Block& self) { return reinterpret_cast<std::uintptr_t>(self.address()); })
        .def_property_readonly("size", &Block::size)
        .def_property_readonly("alignment", &Block::alignment)
        .def_property_readonly("tag", [](const Block& self) { return self.site().tag; })
        .def_property_readonly("is_live", &Block::is_live)
        .def_property_readonly("export_count", &Block::export_count)
        .def("__len__", &Block::size)
        .def("__repr__", [](const Block& self) {
            char text[96];
            std::snprintf(text, sizeof text, "<Block %p: %zu bytes%s>", self.address(), self.size(),
                          self.is_live() ? "" : ", ended");
            return std::string(text);
        });
    py::class_<LiveMark>(module, "LiveMark", not_made)
        .def_readonly("next_serial", &LiveMark::next_serial);
}

void bind_capabilities(py::class_<LiveHeap, std::shared_ptr<LiveHeap>>& heap) {
    heap.def(
            "resize",
            [](LiveHeap& self, Block& block, py::ssize_t new_size) {
                return self.resize(block, checked_size(new_size));
            },
            py::arg("block"), py::arg("new_size"))
        .def("reset", &LiveHeap::reset)
        .def("mark", &LiveHeap::mark)
        .def("rewind", &LiveHeap::rewind, py::arg("to"))
        .def(
            "owns",
            [](LiveHeap& self, std::uintptr_t address) {
                return open_allocator(self).owns(reinterpret_cast<const void*>(address));
            },
            py::arg("address"))
        .def(
            "usable_size",
            [](LiveHeap& self, const Block& block) {
                block.check_live();
                return open_allocator(self).usable_size(block.address());
            },
            py::arg("block"))
        .def_property_readonly("capabilities", &capabilities);
}

} // namespace

void bind_alloc(py::module_& module) {
    PYBIND11_NUMPY_DTYPE(EventRow, block, size, old_size, alignment, kind);
    bind_block(module);
    py::class_<LiveHeap, std::shared_ptr<LiveHeap>> heap(module, "LiveHeap");
    heap.def(py::init(&make_heap), py::arg("spec"), py::arg("traced") = false,
             py::arg("on_events") = py::none())
        .def("allocate", &allocate, py::arg("size"), py::arg("alignment") = default_alignment,
             py::arg("tag") = py::none(), py::arg("zeroed") = false)
        .def("deallocate", &LiveHeap::deallocate, py::arg("block"))
        .def("allocate_address", &allocate_address, py::arg("size"),
             py::arg("alignment") = default_alignment, py::arg("tag") = py::none())
        .def(
            "deallocate_address",
            [](LiveHeap& self, std::uintptr_t address, py::ssize_t size, py::ssize_t alignment) {
                self.deallocate_address(reinterpret_cast<void*>(address), checked_size(size),
                                        checked_alignment(alignment));
            },
            py::arg("address"), py::arg("size"), py::arg("alignment") = default_alignment)
        .def("close", &LiveHeap::close)
        .def("flush_events", &LiveHeap::flush_events)
        .def("adopt_thread", &LiveHeap::adopt_thread)
        .def("on_failure", &LiveHeap::on_failure, py::arg("callback"))
        .def("stats", &stats)
        .def("exported", &exported, py::arg("first_serial") = 0)
        .def_property_readonly("foreign_count", &LiveHeap::foreign_count)
        .def_property_readonly("foreign_bytes", &LiveHeap::foreign_bytes)
        .def_property_readonly("allocation_count", &LiveHeap::allocation_count)
        .def_property_readonly("live_count", &LiveHeap::live_count)
        .def_property_readonly("is_closed", &LiveHeap::is_closed)
        .def_property_readonly("name", [](const LiveHeap& self) {
            return self.allocator() == nullptr ? "closed" : self.allocator()->name();
        });
    bind_capabilities(heap);
    module.def("known_allocators", [] {
        py::list names;
        for (const std::string_view name : known_allocators()) {
            names.append(py::str(std::string(name)));
        }
        return names;
    });
}

} // namespace alloclab::bindings
