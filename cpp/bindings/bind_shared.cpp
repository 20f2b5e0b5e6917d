// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "live_heap.hpp"

#include <alloclab/alloc/shared_arena.hpp>
#include <alloclab/alloc/table_of.hpp>

#include <cerrno>
#include <cstring>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

std::string problem_text(SharedArenaProblem problem) {
    switch (problem) {
    case SharedArenaProblem::none:
        break;
    case SharedArenaProblem::refused_by_system:
        return std::string("refused_by_system: ") + std::strerror(errno);
    case SharedArenaProblem::too_small:
        return "too_small: no room for a header of " + std::to_string(SharedArenaHeader::bytes) +
               " bytes";
    case SharedArenaProblem::no_arena:
        return "no_arena: it does not begin as a shared arena does";
    case SharedArenaProblem::other_version:
        return "other_version: another version of the lab wrote it";
    case SharedArenaProblem::bad_header:
        return "bad_header: its sizes contradict each other or the file";
    case SharedArenaProblem::not_sealed:
        return "not_sealed: it is not published, and could change under its reader";
    }
    return "none";
}

// The writer's side. The heap's blocks are the arena's, which lives as long as the heap has memory.
class SharedWriter {
public:
    explicit SharedWriter(std::size_t capacity_bytes) {
        const auto arena = std::make_shared<SharedArena>(capacity_bytes);
        if (arena->problem() != SharedArenaProblem::none) {
            throw LiveError("SharedArenaError", "a shared arena of " +
                                                    std::to_string(capacity_bytes) +
                                                    " bytes: " + problem_text(arena->problem()));
        }
        arena_ = arena;
        static constexpr alloclab_allocator table = table_of<SharedArena>("shared_arena");
        heap_ = std::make_shared<LiveHeap>(AnyAllocator(table, arena.get()),
                                           std::make_unique<DefectLog>(), arena);
    }

    const std::shared_ptr<LiveHeap>& heap() const noexcept { return heap_; }
    // Throws: LiveError when it is closed.
    std::shared_ptr<SharedArena> arena() const {
        if (auto arena = arena_.lock()) {
            return arena;
        }
        throw LiveError("ScopeClosed", "the shared arena is closed");
    }

    // Ends every block: what was theirs can be read through a view from then on.
    void publish(std::uint64_t root) {
        const auto arena = this->arena();
        heap_->end_all("publish", [&] {
            if (!arena->publish_at(root)) {
                throw LiveError("SharedArenaError",
                                std::string("publish: ") + publish_problem(*arena));
            }
        });
    }

private:
    static std::string publish_problem(const SharedArena& arena) {
        if (arena.is_published()) {
            return "it is published already";
        }
        return errno == EBUSY
                   ? "another process may write to it, for instance a child of fork: end it first"
                   : problem_text(SharedArenaProblem::refused_by_system);
    }

    std::weak_ptr<SharedArena> arena_; // the heap keeps it
    std::shared_ptr<LiveHeap> heap_;
};

// The reader's side: mapped until it is closed and nobody looks any more.
class SharedReader {
public:
    explicit SharedReader(int file_descriptor)
        : view_(std::make_unique<SharedArenaView>(file_descriptor)) {
        if (view_->problem() != SharedArenaProblem::none) {
            throw LiveError("SharedArenaError", "file descriptor " +
                                                    std::to_string(file_descriptor) + ": " +
                                                    problem_text(view_->problem()));
        }
    }

    const SharedArenaView& view() const {
        if (is_closed_) {
            throw LiveError("ScopeClosed", "the view is closed");
        }
        return *view_;
    }
    bool is_closed() const noexcept { return is_closed_; }
    std::size_t export_count() const noexcept { return export_count_; }

    void close() {
        is_closed_ = true;
        unmap_unseen();
    }
    void begin_export() noexcept { ++export_count_; }
    void end_export() noexcept {
        --export_count_;
        unmap_unseen();
    }

private:
    void unmap_unseen() noexcept {
        if (is_closed_ && export_count_ == 0) {
            view_.reset();
        }
    }

    std::unique_ptr<SharedArenaView> view_;
    std::size_t export_count_ = 0;
    bool is_closed_ = false;
};

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    view->obj = nullptr;
    try {
        auto& reader = py::cast<SharedReader&>(py::handle(self));
        const auto bytes = reader.view().bytes();
        if (PyBuffer_FillInfo(view, self, const_cast<std::byte*>(bytes.data()),
                              static_cast<Py_ssize_t>(bytes.size()), 1, flags) != 0) {
            return -1;
        }
        reader.begin_export();
    } catch (const LiveError& error) {
        raise_python(error.python_name, error.what());
        return -1;
    }
    return 0;
}

void release_buffer(PyObject* self, Py_buffer* /*view*/) {
    py::cast<SharedReader&>(py::handle(self)).end_export();
}

} // namespace

void bind_shared(py::module_& module) {
    py::class_<SharedWriter>(module, "SharedWriter")
        .def(py::init<std::size_t>(), py::arg("capacity_bytes"))
        .def("publish", &SharedWriter::publish, py::arg("root"))
        .def(
            "offset_of",
            [](const SharedWriter& self, std::uintptr_t address) {
                return self.arena()->share(reinterpret_cast<const std::byte*>(address)).offset;
            },
            py::arg("address"))
        .def_property_readonly("heap", &SharedWriter::heap)
        .def_property_readonly(
            "file_descriptor",
            [](const SharedWriter& self) { return self.arena()->file_descriptor(); })
        .def_property_readonly(
            "is_published", [](const SharedWriter& self) { return self.arena()->is_published(); })
        .def_property_readonly("used_bytes",
                               [](const SharedWriter& self) { return self.arena()->used_bytes(); })
        .def_property_readonly("capacity_bytes", [](const SharedWriter& self) {
            return self.arena()->capacity_bytes();
        });
    const py::custom_type_setup buffers([](PyHeapTypeObject* type) {
        type->as_buffer.bf_getbuffer = get_buffer;
        type->as_buffer.bf_releasebuffer = release_buffer;
        type->ht_type.tp_as_buffer = &type->as_buffer;
        type->ht_type.tp_new = refuse_new;
    });
    py::class_<SharedReader>(module, "SharedReader", buffers)
        .def("close", &SharedReader::close)
        .def_property_readonly("root",
                               [](const SharedReader& self) { return self.view().root_offset(); })
        .def_property_readonly("used_bytes",
                               [](const SharedReader& self) { return self.view().used_bytes(); })
        .def_property_readonly("is_closed", &SharedReader::is_closed)
        .def_property_readonly("export_count", &SharedReader::export_count);
    module.def(
        "open_shared_arena",
        [](int file_descriptor) { return std::make_unique<SharedReader>(file_descriptor); },
        py::arg("file_descriptor"));
}

} // namespace alloclab::bindings
