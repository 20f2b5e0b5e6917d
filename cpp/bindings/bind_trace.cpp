// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "numpy.hpp"
#include "summary_dict.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>
#include <alloclab/trace/scopes.hpp>
#include <alloclab/trace/tables.hpp>

#include <pybind11/stl.h>

#include <mutex>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

// A reader that Python threads may share: decoding runs without the GIL, one at a time.
class SharedReader {
public:
    explicit SharedReader(const std::string& path) : reader_(std::filesystem::path(path)) {}

    template <class Decode> auto decode(Decode&& decode_from) {
        const py::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return decode_from(reader_);
    }
    const TraceReader& reader() const { return reader_; }

private:
    TraceReader reader_;
    std::mutex mutex_;
};

py::dict summary(const SharedReader& self) {
    return dict_of(self.reader().summary());
}

void check_index(const SharedReader& self, std::size_t index) {
    if (index >= self.reader().chunks().size()) {
        throw py::index_error("the trace has " + std::to_string(self.reader().chunks().size()) +
                              " chunks");
    }
}

py::dict chunk(SharedReader& self, std::size_t index) {
    check_index(self, index);
    EventColumns columns =
        self.decode([&](TraceReader& reader) { return read_event_columns(reader, index); });
    py::dict result;
    result["kind"] = to_numpy(std::move(columns.kind));
    result["call"] = to_numpy(std::move(columns.call));
    result["thread"] = to_numpy(std::move(columns.thread));
    result["object"] = to_numpy(std::move(columns.object));
    result["size"] = to_numpy(std::move(columns.size));
    result["alignment"] = to_numpy(std::move(columns.alignment));
    result["time_ns"] = to_numpy(std::move(columns.time_ns));
    result["value"] = to_numpy(std::move(columns.value), 3);
    result["site"] = to_numpy(std::move(columns.site));
    result["tag"] = to_numpy(std::move(columns.tag));
    return result;
}

py::dict calls(SharedReader& self, std::size_t index) {
    check_index(self, index);
    CallColumns columns =
        self.decode([&](TraceReader& reader) { return read_call_columns(reader, index); });
    py::dict result;
    result["kind"] = to_numpy(std::move(columns.kind));
    result["object"] = to_numpy(std::move(columns.object));
    result["size"] = to_numpy(std::move(columns.size));
    result["alignment"] = to_numpy(std::move(columns.alignment));
    return result;
}

py::dict objects(SharedReader& self) {
    ObjectTable table = self.decode([](TraceReader& reader) { return read_object_table(reader); });
    py::dict result;
    result["size"] = to_numpy(std::move(table.size));
    result["max_size"] = to_numpy(std::move(table.max_size));
    result["birth"] = to_numpy(std::move(table.birth));
    result["death"] = to_numpy(std::move(table.death));
    result["birth_thread"] = to_numpy(std::move(table.birth_thread));
    result["death_thread"] = to_numpy(std::move(table.death_thread));
    result["reallocations"] = to_numpy(std::move(table.reallocations));
    result["is_region"] = to_numpy(std::move(table.is_region));
    result["scope"] = to_numpy(std::move(table.scope));
    result["site"] = to_numpy(std::move(table.site));
    result["tag"] = to_numpy(std::move(table.tag));
    return result;
}

py::dict scopes(SharedReader& self) {
    ScopeTable table = self.decode([](TraceReader& reader) { return read_scope_table(reader); });
    py::dict result;
    result["instance"] = to_numpy(std::move(table.instance));
    result["kind"] = to_numpy(std::move(table.kind));
    result["name"] = to_numpy(std::move(table.name));
    result["thread"] = to_numpy(std::move(table.thread));
    result["parent"] = to_numpy(std::move(table.parent));
    result["enter"] = to_numpy(std::move(table.enter));
    result["exit"] = to_numpy(std::move(table.exit));
    result["enter_time_ns"] = to_numpy(std::move(table.enter_time_ns));
    result["exit_time_ns"] = to_numpy(std::move(table.exit_time_ns));
    return result;
}

py::dict marks(SharedReader& self) {
    MarkTable table = self.decode([](TraceReader& reader) { return read_mark_table(reader); });
    py::dict result;
    result["event"] = to_numpy(std::move(table.event));
    result["name"] = to_numpy(std::move(table.name));
    result["thread"] = to_numpy(std::move(table.thread));
    result["time_ns"] = to_numpy(std::move(table.time_ns));
    return result;
}

// A column of a table: `field(row)` of each row; unknown names become -1.
template <class Row, class Field>
py::object column_of(const std::vector<Row>& rows, Field&& field) {
    std::vector<std::int64_t> values;
    values.reserve(rows.size());
    for (const Row& row : rows) {
        values.push_back(static_cast<std::int64_t>(field(row)));
    }
    return to_numpy(std::move(values));
}

std::int64_t name_or_none(std::uint32_t name) {
    return name == StackFrame::unknown ? -1 : std::int64_t{name};
}

py::dict stacks(const SharedReader& self) {
    const StackTable& table = self.reader().stacks();
    py::dict result;
    result["stack"] = column_of(table.stacks, [](std::uint32_t node) { return node; });
    result["parent"] = column_of(
        table.nodes, [](const StackTable::Node& node) { return std::int64_t{node.parent} - 1; });
    result["frame"] = column_of(table.nodes, [](const StackTable::Node& n) { return n.frame; });
    const auto& frames = table.frames;
    result["function"] =
        column_of(frames, [](const StackFrame& frame) { return name_or_none(frame.function); });
    result["file"] =
        column_of(frames, [](const StackFrame& frame) { return name_or_none(frame.file); });
    result["module"] =
        column_of(frames, [](const StackFrame& frame) { return name_or_none(frame.module); });
    result["line"] = column_of(frames, [](const StackFrame& frame) { return frame.line; });
    result["offset"] = column_of(frames, [](const StackFrame& frame) { return frame.offset; });
    result["is_inlined"] =
        column_of(frames, [](const StackFrame& frame) { return frame.is_inlined; });
    return result;
}

py::dict footprint(SharedReader& self) {
    FootprintTable table =
        self.decode([](TraceReader& reader) { return read_footprint_table(reader); });
    py::dict result;
    result["event"] = to_numpy(std::move(table.event));
    result["anonymous_bytes"] = to_numpy(std::move(table.anonymous_bytes));
    result["file_bytes"] = to_numpy(std::move(table.file_bytes));
    result["page_faults"] = to_numpy(std::move(table.page_faults));
    return result;
}

py::dict touched(const SharedReader& self) {
    const auto& rows = self.reader().touched();
    py::dict result;
    result["event"] = column_of(rows, [](const Touched& row) { return row.event; });
    result["pages"] = column_of(rows, [](const Touched& row) { return row.pages; });
    result["resident_at_birth"] =
        column_of(rows, [](const Touched& row) { return row.resident_at_birth; });
    result["resident_at_death"] =
        column_of(rows, [](const Touched& row) { return row.resident_at_death; });
    result["is_prefix"] = column_of(rows, [](const Touched& row) { return row.is_prefix; });
    return result;
}

} // namespace

void bind_trace(py::module_& module) {
    py::class_<SharedReader>(module, "TraceReader")
        .def(py::init<const std::string&>(), py::arg("path"))
        .def_property_readonly("path",
                               [](const SharedReader& self) {
                                   return py::reinterpret_steal<py::object>(
                                       PyUnicode_DecodeFSDefault(self.reader().name().c_str()));
                               })
        .def_property_readonly("file_bytes",
                               [](const SharedReader& self) { return self.reader().file_bytes(); })
        .def_property_readonly(
            "metadata_json", [](const SharedReader& self) { return self.reader().metadata_json(); })
        .def_property_readonly(
            "names",
            [](const SharedReader& self) {
                py::list names; // bytes of a program need not be UTF-8
                for (const std::string& name : self.reader().names()) {
                    names.append(py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                        name.data(), static_cast<Py_ssize_t>(name.size()), "replace")));
                }
                return names;
            })
        .def_property_readonly("summary", &summary)
        .def_property_readonly(
            "chunk_count", [](const SharedReader& self) { return self.reader().chunks().size(); })
        .def("chunk", &chunk, py::arg("index"))
        .def("calls", &calls, py::arg("index"))
        .def("objects", &objects)
        .def("scopes", &scopes)
        .def("marks", &marks)
        .def("stacks", &stacks)
        .def("footprint", &footprint)
        .def("touched", &touched);

    py::dict kinds;
    for (unsigned code = 0; code < 0x80; ++code) {
        if (operands_of(static_cast<std::uint8_t>(code)).is_known) {
            const EventKind kind = kind_of(static_cast<std::uint8_t>(code));
            kinds[py::str(std::string(event_kind_name(kind)))] = static_cast<unsigned>(kind);
        }
    }
    module.attr("event_kinds") = kinds;
}

} // namespace alloclab::bindings
