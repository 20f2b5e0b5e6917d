// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "live_heap.hpp"

#include <alloclab/alloc/tracing/report.hpp>
#include <alloclab/compose/erase.hpp>
#include <alloclab/subsystems/subsystems.hpp>

#include <pybind11/stl.h>

#include <algorithm>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

// What `write` sends to a sink, as text. Tags and file names may be any bytes.
template <class Write> py::object text_of(Write&& write) {
    std::string text;
    write(TextSink{[](void* into, std::string_view piece) noexcept {
                       static_cast<std::string*>(into)->append(piece);
                   },
                   &text});
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

Trace<AnyAllocator>& trace_of(LiveHeap& heap) {
    if (heap.trace() == nullptr) {
        throw LiveError("ScopeClosed", "there is no trace, or it has ended");
    }
    return *heap.trace();
}

// (address, size, alignment, tag, file, line) of every live block, oldest first.
py::list live_rows(LiveHeap& heap) {
    std::vector<tracing::LiveRow> rows;
    trace_of(heap).visit_live([&](const tracing::LiveRow& row) { rows.push_back(row); });
    std::sort(rows.begin(), rows.end(),
              [](const auto& one, const auto& other) { return one.birth < other.birth; });
    py::list result;
    for (const tracing::LiveRow& row : rows) {
        result.append(py::make_tuple(reinterpret_cast<std::uintptr_t>(row.block), row.size,
                                     row.alignment, row.site.tag, row.site.file, row.site.line));
    }
    return result;
}

// (tag or None, live blocks, bytes in use, bytes at the peak) of every tag.
py::list tag_rows(LiveHeap& heap) {
    py::list result;
    trace_of(heap).visit_tags([&](const auto& tag) {
        result.append(py::make_tuple(tag.tag, tag.live_count, tag.current_bytes, tag.peak_bytes));
    });
    return result;
}

void bind_trace_reports(py::module_& module) {
    module.def("live_rows", &live_rows, py::arg("heap"));
    module.def("tag_rows", &tag_rows, py::arg("heap"));
    module.def(
        "leak_text",
        [](LiveHeap& heap, std::size_t most_rows) {
            return text_of(
                [&](const TextSink& sink) { trace_of(heap).write_leaks(sink, most_rows); });
        },
        py::arg("heap"), py::arg("most_rows"));
    module.def(
        "tag_text",
        [](LiveHeap& heap) {
            return text_of([&](const TextSink& sink) { trace_of(heap).write_tags(sink); });
        },
        py::arg("heap"));
    module.def(
        "statistics_text",
        [](LiveHeap& heap, const std::string& name) {
            return text_of([&](const TextSink& sink) {
                tracing::write_statistics_title(sink);
                trace_of(heap).write_statistics(sink, name.c_str());
            });
        },
        py::arg("heap"), py::arg("name"));
}

// A subsystem as an allocator of its own, which does not own it.
class SubsystemView {
public:
    explicit SubsystemView(Subsystem& subsystem) noexcept : subsystem_(subsystem) {}

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return subsystem_.allocate(size, alignment);
    }
    void* allocate(std::size_t size, std::size_t alignment, AllocationSite site) noexcept {
        return subsystem_.allocate(size, alignment, site);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return subsystem_.allocate_zeroed(size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        subsystem_.deallocate(block, size, alignment);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept {
        return subsystem_.resize(block, old_size, new_size, alignment);
    }
    void reset() noexcept { subsystem_.reset(); }
    bool owns(const void* block) const noexcept { return subsystem_.allocator().owns(block); }
    std::size_t usable_size(const void* block) const noexcept {
        return subsystem_.allocator().usable_size(block);
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        if (subsystem_.trace() == nullptr) {
            subsystem_.allocator().visit_stats(visitor);
        } else { // whose own counts have the same names
            subsystem_.trace()->upstream().visit_stats(visitor);
        }
        const TraceTotals& totals = subsystem_.totals();
        visitor("total_allocated_bytes", totals.total_allocated_bytes);
        visitor("total_freed_bytes", totals.total_freed_bytes);
        visitor("current_bytes", totals.current_bytes);
        visitor("peak_bytes", totals.peak_bytes);
        visitor("allocation_ops", totals.allocation_count);
        visitor("free_ops", totals.free_count);
    }

private:
    Subsystem& subsystem_;
};

std::shared_ptr<LiveHeap> heap_of(const std::shared_ptr<Subsystems>& self, std::size_t place) {
    Subsystem& subsystem = self->at(place);
    Capabilities offered = Capabilities::of(subsystem.allocator());
    offered.mark = false; // its figures know of resets only
    auto heap = std::make_shared<LiveHeap>(
        erase_narrowed<SubsystemView>(subsystem.row().key, offered, subsystem),
        std::make_unique<DefectLog>(), self);
    if (subsystem.trace() != nullptr) {
        heap->watch(subsystem.trace());
    }
    return heap;
}

// (key, title, spec of the core, when it resets, what it resets with) of every row.
py::list preset_rows(const std::string& name) {
    py::list rows;
    for (const SubsystemRow& row : subsystem_preset(name)) {
        rows.append(py::make_tuple(row.key, row.title, row.spec, row.reset_when, row.reset_with));
    }
    return rows;
}

} // namespace

void bind_reports(py::module_& module) {
    bind_trace_reports(module);
    py::class_<Subsystems, std::shared_ptr<Subsystems>>(module, "Subsystems")
        .def(py::init([](const std::string& preset, bool prints_statistics, bool is_traced) {
                 return std::make_shared<Subsystems>(
                     preset, SubsystemsOptions{prints_statistics, is_traced});
             }),
             py::arg("preset"), py::arg("prints_statistics"), py::arg("is_traced"))
        .def("heap", &heap_of, py::arg("place"))
        .def("shut_down", &Subsystems::shut_down)
        .def("statistics_text",
             [](Subsystems& self) {
                 return text_of([&](const TextSink& sink) { self.write_statistics(sink); });
             })
        .def("tag_text",
             [](Subsystems& self) {
                 return text_of([&](const TextSink& sink) { self.write_tags(sink); });
             })
        .def("leak_text", [](Subsystems& self) {
            return text_of([&](const TextSink& sink) { self.write_leaks(sink); });
        });
    module.def("subsystem_rows", &preset_rows, py::arg("preset"));
    module.def("subsystems_asked_for", [] {
        const SubsystemsOptions options = SubsystemsOptions::from_environment();
        return py::make_tuple(options.prints_statistics, options.is_traced);
    });
}

} // namespace alloclab::bindings
