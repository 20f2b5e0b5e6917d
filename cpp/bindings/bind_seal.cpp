// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "numpy.hpp"
#include "summary_dict.hpp"

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/seal.hpp>

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

// The way back, of a text made so.
std::string to_bytes(const py::handle& text) {
    const auto bytes = py::reinterpret_steal<py::bytes>(PyUnicode_EncodeFSDefault(text.ptr()));
    if (!bytes) {
        throw py::error_already_set();
    }
    return bytes;
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
    result["lost_names"] = header.lost_names;
    result["cut_stacks"] = header.cut_stacks;
    result["lost_frames"] = header.lost_frames;
    result["has_own_malloc"] = header.has_own_malloc;
    result["is_redacted"] = header.is_redacted;
    result["is_address_random"] = header.is_address_random;
    result["has_huge_pages"] = header.has_huge_pages;
    result["static_anonymous_bytes"] = header.static_anonymous_bytes;
    if (header.edges.epochs != 0) {
        py::dict edges;
        edges["is_conservative"] = true;
        edges["epochs"] = header.edges.epochs;
        edges["words"] = header.edges.words;
        edges["hits"] = header.edges.hits;
        edges["chance_hits"] = header.edges.chance_hits;
        edges["references"] = header.edges.references;
        edges["roots"] = header.edges.roots;
        edges["unseen_blocks"] = header.edges.unseen_blocks;
        result["edges"] = edges;
    }
    result["exec_target"] = to_text(header.exec_target);
    py::list images;
    for (const CapturedImage& image : header.images) {
        images.append(describe(image));
    }
    result["images"] = images;
    result["uncounted_images"] = header.uncounted_images;
    return result;
}

std::vector<SymbolFrame> to_frames(const py::handle& functions) {
    std::vector<SymbolFrame> frames;
    for (const py::handle function : functions) {
        const auto [name, file, line, is_inlined] =
            function.cast<std::tuple<std::string, std::string, std::uint32_t, bool>>();
        frames.push_back({name, file, line, is_inlined});
    }
    return frames;
}

// A symbolizer that asks Python: (modules, addresses) -> (frames of each address, module names).
Symbolizer to_symbolizer(const py::object& symbolize) {
    if (symbolize.is_none()) {
        return {};
    }
    return [symbolize](const std::vector<CapturedModule>& modules,
                       const std::vector<CodeAddress>& addresses) {
        const py::gil_scoped_acquire held;
        py::list module_list;
        for (const CapturedModule& module : modules) {
            module_list.append(py::make_tuple(to_text(module.path), to_text(module.build_id)));
        }
        std::vector<std::uint64_t> wanted; // two columns: module, offset
        wanted.reserve(2 * addresses.size());
        for (const CodeAddress& address : addresses) {
            wanted.push_back(address.module);
            wanted.push_back(address.offset);
        }
        const py::tuple answer = symbolize(module_list, to_numpy(std::move(wanted), 2));
        Symbols symbols;
        for (const py::handle functions : answer[0]) {
            symbols.frames.push_back(to_frames(functions));
        }
        for (const py::handle name : answer[1]) {
            symbols.module_names.push_back(to_bytes(name));
        }
        return symbols;
    };
}

py::dict seal(const std::string& capture, const std::string& trace, int level,
              const std::string& metadata_json, const py::object& progress,
              const std::vector<std::tuple<std::uint64_t, std::string, std::string>>& marks,
              const py::object& symbolize) {
    SealOptions options{.level = level,
                        .metadata_json = metadata_json,
                        .progress = {},
                        .marks = {},
                        .symbolize = to_symbolizer(symbolize)};
    for (const auto& [monotonic_ns, kind, name] : marks) {
        options.marks.push_back({monotonic_ns, kind, name});
    }
    if (!progress.is_none()) {
        options.progress = [&](std::uint64_t events) {
            const py::gil_scoped_acquire held;
            progress(events);
        };
    }
    TraceSummary summary;
    {
        const py::gil_scoped_release release;
        summary = seal_capture(capture, trace, options);
    }
    return dict_of(summary);
}

} // namespace

void bind_seal(py::module_& module) {
    module.def("read_capture_header", &read_capture_header, py::arg("path"));
    module.def("seal", &seal, py::arg("capture"), py::arg("trace"), py::kw_only(), py::arg("level"),
               py::arg("metadata_json"), py::arg("progress") = py::none(),
               py::arg("marks") = py::list(), py::arg("symbolize") = py::none());
}

} // namespace alloclab::bindings
