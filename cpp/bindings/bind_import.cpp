// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "summary_dict.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/import/importer.hpp>
#include <alloclab/import/zstd_stream.hpp>

#include <pybind11/stl.h>

#include <mutex>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

// The bytes of a buffer, held as long as this lives.
class Bytes {
public:
    explicit Bytes(const py::buffer& buffer) : info_(buffer.request()) {
        if (info_.ndim != 1 || info_.itemsize != 1 || info_.strides[0] != 1) {
            throw Error("the bytes are not in one row");
        }
    }
    std::span<const std::uint8_t> span() const {
        return {static_cast<const std::uint8_t*>(info_.ptr), static_cast<std::size_t>(info_.size)};
    }

private:
    py::buffer_info info_;
};

// An importer that Python threads may share: one at a time uses it, without the GIL. After an
// error it is gone, and with it what it has written.
class SharedImporter {
public:
    SharedImporter(const std::string& format, const std::string& path, bool is_truncation_allowed,
                   int level)
        : importer_(make_importer(
              format, path, {.level = level, .is_truncation_allowed = is_truncation_allowed})) {}

    template <class Change> auto change(Change&& change_it) {
        const py::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        if (!importer_) {
            throw Error("the import is finished or given up");
        }
        try {
            return change_it(*importer_);
        } catch (...) {
            importer_.reset();
            throw;
        }
    }
    void give_up() {
        const py::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        importer_.reset();
    }

private:
    std::mutex mutex_;
    std::unique_ptr<Importer> importer_;
};

void feed(SharedImporter& self, const py::buffer& buffer) {
    const Bytes bytes(buffer);
    self.change([&](Importer& importer) { importer.feed(bytes.span()); });
}

py::dict end(SharedImporter& self, bool is_cut) {
    const ImportReport report =
        self.change([&](Importer& importer) -> ImportReport { return importer.end(is_cut); });
    py::dict result;
    py::dict left_out;
    for (const auto& [kind, count] : report.left_out) {
        left_out[py::str(kind)] = count;
    }
    result["left_out"] = left_out;
    result["cannot_say"] = report.cannot_say;
    py::dict told;
    for (const auto& [name, text] : report.told) { // bytes of the input: not always UTF-8
        told[py::str(name)] = py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
            text.data(), static_cast<py::ssize_t>(text.size()), "backslashreplace"));
    }
    result["told"] = told;
    result["truncated_at"] = report.truncated_at;
    result["lost_events"] = report.lost_events;
    result["is_complete"] = report.is_complete;
    return result;
}

py::dict finish(SharedImporter& self, const std::string& metadata_json) {
    const TraceSummary summary =
        self.change([&](Importer& importer) { return importer.finish(metadata_json); });
    self.give_up();
    return dict_of(summary);
}

py::bytes take(ZstdStream& self) {
    const std::vector<std::uint8_t> piece = [&] {
        const py::gil_scoped_release release;
        return self.take();
    }();
    return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}

} // namespace

void bind_import(py::module_& module) {
    module.def("import_formats", &import_formats);
    py::class_<SharedImporter>(module, "Importer")
        .def(py::init<const std::string&, const std::string&, bool, int>(), py::arg("format"),
             py::arg("path"), py::kw_only(), py::arg("allow_truncated") = false,
             py::arg("level") = ImportOptions{}.level)
        .def("feed", &feed, py::arg("piece"))
        .def("end", &end, py::kw_only(), py::arg("is_cut") = false)
        .def("finish", &finish, py::arg("metadata_json"))
        .def("give_up", &SharedImporter::give_up);
    py::class_<ZstdStream>(module, "ZstdStream")
        .def(py::init<>())
        .def(
            "put",
            [](ZstdStream& self, const py::buffer& buffer) { self.put(Bytes(buffer).span()); },
            py::arg("piece"))
        .def("take", &take)
        .def_property_readonly("is_at_frame_end", &ZstdStream::is_at_frame_end);
}

} // namespace alloclab::bindings
