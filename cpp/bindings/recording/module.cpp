// SPDX-License-Identifier: MIT

// The module alloclab._recording: recording this interpreter from within.

#include "domains.hpp"
#include "frames.h"
#include "frames.hpp"
#include "known_blocks.hpp"
#include "threads.hpp"

#include <alloclab/record/inside.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/process.hpp>

#include <cstring>
#include <iterator>
#include <utility>

namespace py = pybind11;

namespace alloclab::recording {

namespace {

constexpr const char* domain_names[domain_count] = {"raw", "mem", "object", "numpy"};

// Opens the capture and then the gate. Returns whether it could.
bool start(const std::string& directory, std::uint32_t depth) {
    static const bool is_prepared = (prepare_threads(), true);
    if (!is_prepared || record::process.header != nullptr)
        throw py::value_error("a recording is open");
    if (depth > most_python_frames)
        throw py::value_error("more frames than a site can have");
    stand_before_domains();
    site_depth = depth;
    begin_counts();
    if (!record::begin_inside(directory.c_str()))
        return false;
    gate = Gate::open;
    return true;
}

void close_gate() {
    gate = Gate::closed;
    const py::gil_scoped_release release;
    wait_for_others();
}

// Closes the gate and the capture. Returns what was counted, by domain, and the capture's path.
py::tuple stop() {
    if (record::process.header == nullptr)
        throw py::value_error("no recording is open");
    close_gate();
    DomainCounts total[domain_count] = {};
    record::finish_inside();
    end_threads(total);
    const py::bytes path(record::process.path);
    record::close_inside();
    forget_known();
    release_codes();
    py::dict counts;
    for (std::size_t domain = 0; domain < domain_count; ++domain) {
        py::dict each;
        each["allocations"] = total[domain].allocations;
        each["bytes"] = total[domain].bytes;
        counts[domain_names[domain]] = each;
    }
    return py::make_tuple(path, counts);
}

std::uint64_t enter_scope(const char* kind, const char* name) {
    const Entry entry;
    return entry ? record::enter_scope(kind, name) : 0;
}

void exit_scope(std::uint64_t scope) {
    if (const Entry entry; entry)
        record::exit_scope(scope);
}

std::uint64_t set_tag(const char* name) {
    const Entry entry;
    return entry ? record::set_tag(name) : 0;
}

void restore_tag(std::uint64_t before) {
    if (const Entry entry; entry)
        record::restore_tag(before);
}

void mark(const char* name) {
    if (const Entry entry; entry)
        record::record_mark(name);
}

// The numbers of alloclab_python_layout, in their order, or None.
py::object frame_layout() {
    const alloclab_python_layout layout = alloclab_read_layout();
    if (layout.version == 0)
        return py::none();
    unsigned short numbers[alloclab_python_layout_numbers];
    static_assert(sizeof numbers == sizeof layout);
    std::memcpy(numbers, &layout, sizeof numbers);
    py::tuple found(std::size(numbers));
    for (std::size_t number_idx = 0; number_idx < std::size(numbers); ++number_idx)
        found[number_idx] = numbers[number_idx];
    return std::move(found);
}

} // namespace

} // namespace alloclab::recording

PYBIND11_MODULE(_recording, module) {
    using namespace alloclab::recording;
    module.doc() = "Recording this interpreter; use alloclab.recording, not this.";
    module.attr("most_frames") = alloclab_can_read_frames() != 0 ? most_python_frames : 0;
    module.def("frame_layout", &frame_layout);
    module.def("start", &start, py::arg("directory"), py::arg("depth"));
    module.def("stop", &stop);
    module.def("watch_numpy", &watch_numpy);
    module.def("unwatch_numpy", &unwatch_numpy, py::arg("before"));
    module.def("enter_scope", &enter_scope, py::arg("kind"), py::arg("name"));
    module.def("exit_scope", &exit_scope, py::arg("scope"));
    module.def("set_tag", &set_tag, py::arg("name").none(true));
    module.def("restore_tag", &restore_tag, py::arg("before"));
    module.def("mark", &mark, py::arg("name"));
}
