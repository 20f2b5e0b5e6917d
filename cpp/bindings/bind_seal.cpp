// SPDX-License-Identifier: MIT
#include "bindings.hpp"

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/seal.hpp>
#include <alloclab/trace/summary_fields.hpp>

#include <pybind11/functional.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

// Paths and arguments are bytes to the kernel; Python keeps those that are not UTF-8 as it does in
// file names.
py::object to_text(const std::string& bytes) {
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeFSDefaultAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
}

py::dict describe(const CapturedImage& image) {
    py::dict result;
    result["kind"] = image.kind;
    result["path"] = to_text(image.path);
    result["pid"] = image.pid;
    result["wall_ns"] = image.wall_ns;
    result["has_failed"] = image.has_failed;
    return result;
}

py::dict read_capture_header(const std::string& path) {
    const CaptureReader reader{std::filesystem::path(path)};
    const CaptureHeader& header = reader.header();
    py::dict result;
    result["pid"] = header.pid;
    result["parent_pid"] = header.parent_pid;
    result["forked_from"] = header.forked_from;
    result["image"] = to_text(header.image_path);
    py::list arguments;
    for (const std::string& argument : header.arguments) {
        arguments.append(to_text(argument));
    }
    result["arguments"] = arguments;
    result["has_cut_arguments"] = header.has_cut_arguments;
    result["start_wall_ns"] = header.start_wall_ns;
    result["duration_ns"] = header.duration_ns;
    result["page_bytes"] = header.page_bytes;
    result["allocator"] = to_text(header.allocator_object);
    result["recorder_version"] = header.recorder_version;
    result["threads"] = header.thread_count;
    result["is_complete"] = header.is_complete;
    result["stop_reason"] = header.stop_reason;
    result["stop_errno"] = header.stop_errno;
    result["lost_events"] = header.lost_events;
    result["untracked_blocks"] = header.untracked_blocks;
    result["has_own_malloc"] = header.has_own_malloc;
    result["is_redacted"] = header.is_redacted;
    result["is_address_random"] = header.is_address_random;
    result["has_huge_pages"] = header.has_huge_pages;
    result["static_anonymous_bytes"] = header.static_anonymous_bytes;
    result["exec_target"] = to_text(header.exec_target);
    py::list images;
    for (const CapturedImage& image : header.images) {
        images.append(describe(image));
    }
    result["images"] = images;
    result["uncounted_images"] = header.uncounted_images;
    return result;
}

py::dict seal(const std::string& capture, const std::string& trace, int level,
              const std::string& metadata_json, const py::object& progress) {
    std::function<void(std::uint64_t)> report;
    if (!progress.is_none()) {
        report = [&](std::uint64_t events) {
            const py::gil_scoped_acquire held;
            progress(events);
        };
    }
    TraceSummary summary;
    {
        const py::gil_scoped_release release;
        summary = seal_capture(capture, trace, level, metadata_json, report);
    }
    py::dict result;
    for_each_field(summary, [&](const char* name, std::uint64_t value) { result[name] = value; });
    return result;
}

} // namespace

void bind_seal(py::module_& module) {
    module.def("read_capture_header", &read_capture_header, py::arg("path"));
    module.def("seal", &seal, py::arg("capture"), py::arg("trace"), py::kw_only(), py::arg("level"),
               py::arg("metadata_json"), py::arg("progress") = py::none());
}

} // namespace alloclab::bindings
