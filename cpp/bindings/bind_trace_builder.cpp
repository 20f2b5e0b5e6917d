// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "numpy.hpp"
#include "summary_dict.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/builder.hpp>

#include <pybind11/stl.h>

#include <bit>
#include <limits>
#include <mutex>
#include <optional>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

template <class T> using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

// A column of `append`, or none: then every row is 0.
template <class T> class Rows {
public:
    Rows(const std::optional<Column<T>>& column, const char* name, py::ssize_t rows,
         py::ssize_t width = 1)
        : data_(column ? column->data() : nullptr) {
        if (column && (column->size() != rows * width || column->shape(0) != rows)) {
            throw Error(std::string("append: the column ") + name + " has " +
                        std::to_string(column->size()) + " values, not " +
                        std::to_string(rows * width));
        }
    }
    bool is_given() const { return data_ != nullptr; }
    T operator[](std::size_t index) const { return data_ ? data_[index] : T{}; }

private:
    const T* data_;
};

struct EventRows {
    Rows<std::uint8_t> kind, call;
    Rows<std::uint32_t> thread;
    Rows<std::uint64_t> object, size, alignment, time_ns, value;
    Rows<std::uint32_t> site, tag;
};

// A builder that Python threads may share: events are appended without the GIL, by one at a time.
class SharedBuilder {
public:
    SharedBuilder(const std::string& path, int level, std::size_t chunk_events)
        : builder_(std::in_place, std::filesystem::path(path),
                   TraceWriter::Options{.level = level, .chunk_events = chunk_events}) {}

    template <class Change> auto change(Change&& change_it) {
        const py::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        if (!builder_) {
            throw Error("the trace is finished or given up");
        }
        return change_it(*builder_);
    }
    void give_up() {
        const py::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        builder_.reset();
    }

private:
    std::mutex mutex_;
    std::optional<TraceBuilder> builder_;
};

Event event_at(const TraceBuilder& builder, const EventRows& rows, std::size_t row) {
    Event event{.code = rows.kind[row],
                .thread = rows.thread[row],
                .object = rows.object[row],
                .size = rows.size[row]};
    const Operands operands = operands_of(rows.kind[row]);
    const auto fail = [&](const std::string& reason) {
        throw TraceError("event " + std::to_string(builder.events()) + ": " + reason);
    };
    if (rows.kind[row] < 0x20) {
        if (rows.kind[row] % 0x10 != 0 || rows.call[row] >= allocation_call_count) {
            fail("no allocation has the kind " + std::to_string(rows.kind[row]) + " and the call " +
                 std::to_string(rows.call[row]));
        }
        event.code = static_cast<std::uint8_t>(event.code | rows.call[row]);
    }
    if (operands.creates_object && !operands.object) {
        if (rows.object.is_given() && event.object != builder.objects()) {
            fail("it creates object " + std::to_string(builder.objects()) + ", not " +
                 std::to_string(event.object));
        }
        event.object = 0;
    }
    if (const std::uint64_t alignment = rows.alignment[row];
        alignment != 0 && call_has_alignment(event.code)) {
        if (!std::has_single_bit(alignment)) {
            fail("an alignment of " + std::to_string(alignment) + " is no power of two");
        }
        event.alignment_log2 = static_cast<std::uint8_t>(std::bit_width(alignment) - 1);
    }
    for (std::uint8_t slot = 0; slot < operands.values; ++slot) {
        event.values[slot] = rows.value[3 * row + slot];
    }
    event.site = rows.site[row];
    event.tag = rows.tag[row];
    return event;
}

void append(SharedBuilder& self, const Column<std::uint8_t>& kind,
            const std::optional<Column<std::uint8_t>>& call,
            const std::optional<Column<std::uint32_t>>& thread,
            const std::optional<Column<std::uint64_t>>& object,
            const std::optional<Column<std::uint64_t>>& size,
            const std::optional<Column<std::uint64_t>>& alignment,
            const std::optional<Column<std::uint64_t>>& time_ns,
            const std::optional<Column<std::uint64_t>>& value,
            const std::optional<Column<std::uint32_t>>& site,
            const std::optional<Column<std::uint32_t>>& tag) {
    const py::ssize_t count = kind.size();
    const EventRows rows{{kind, "kind", count},       {call, "call", count},
                         {thread, "thread", count},   {object, "object", count},
                         {size, "size", count},       {alignment, "alignment", count},
                         {time_ns, "time_ns", count}, {value, "value", count, 3},
                         {site, "site", count},       {tag, "tag", count}};
    self.change([&](TraceBuilder& builder) {
        for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
            builder.append(event_at(builder, rows, row), rows.time_ns[row]);
        }
    });
}

template <class T> std::vector<T> column_of(const py::dict& columns, const char* name) {
    const auto column = columns[name].cast<Column<T>>();
    return std::vector<T>(column.data(), column.data() + column.size());
}

// The columns of TraceReader.stacks(), as they came or made anew.
void set_stacks(SharedBuilder& self, const py::dict& columns) {
    const auto plus_one = [](std::int64_t number) {
        if (number < -1 || number >= std::numeric_limits<std::uint32_t>::max()) {
            throw Error("call stacks: there is no " + std::to_string(number));
        }
        return static_cast<std::uint32_t>(number + 1);
    };
    const auto name_of = [&](std::int64_t name) { return plus_one(name) - 1; }; // unknown: -1
    StackTable table;
    table.stacks = column_of<std::uint32_t>(columns, "stack");
    const auto parent = column_of<std::int64_t>(columns, "parent");
    const auto frame = column_of<std::uint32_t>(columns, "frame");
    const auto function = column_of<std::int64_t>(columns, "function");
    const auto file = column_of<std::int64_t>(columns, "file");
    const auto module = column_of<std::int64_t>(columns, "module");
    const auto line = column_of<std::uint32_t>(columns, "line");
    const auto offset = column_of<std::uint64_t>(columns, "offset");
    const auto is_inlined = column_of<bool>(columns, "is_inlined");
    if (parent.size() != frame.size() || file.size() != function.size() ||
        module.size() != function.size() || line.size() != function.size() ||
        offset.size() != function.size() || is_inlined.size() != function.size()) {
        throw Error("call stacks: columns of one table differ in length");
    }
    for (std::size_t node = 0; node < parent.size(); ++node) {
        table.nodes.push_back({plus_one(parent[node]), frame[node]});
    }
    for (std::size_t row = 0; row < function.size(); ++row) {
        table.frames.push_back({name_of(function[row]), name_of(file[row]), name_of(module[row]),
                                line[row], offset[row], is_inlined[row]});
    }
    self.change([&](TraceBuilder& builder) { builder.set_stacks(std::move(table)); });
}

// The columns of TraceReader.touched().
void set_touched(SharedBuilder& self, const py::dict& columns) {
    const auto event = column_of<std::int64_t>(columns, "event");
    const auto pages = column_of<std::int64_t>(columns, "pages");
    const auto at_birth = column_of<std::int64_t>(columns, "resident_at_birth");
    const auto at_death = column_of<std::int64_t>(columns, "resident_at_death");
    const auto is_prefix = column_of<bool>(columns, "is_prefix");
    if (pages.size() != event.size() || at_birth.size() != event.size() ||
        at_death.size() != event.size() || is_prefix.size() != event.size()) {
        throw Error("touched rows: columns differ in length");
    }
    std::vector<Touched> rows;
    for (std::size_t row = 0; row < event.size(); ++row) {
        rows.push_back({static_cast<std::uint64_t>(event[row]),
                        static_cast<std::uint64_t>(pages[row]),
                        static_cast<std::uint64_t>(at_birth[row]),
                        static_cast<std::uint64_t>(at_death[row]), is_prefix[row]});
    }
    self.change([&](TraceBuilder& builder) { builder.set_touched(std::move(rows)); });
}

py::dict finish(SharedBuilder& self, const std::string& metadata_json, bool is_complete,
                std::uint64_t lost_events, std::uint64_t unknown_frees, std::uint64_t missed_frees,
                std::uint64_t unresolved_references) {
    const TraceSummary summary = self.change([&](TraceBuilder& builder) {
        return builder.finish({.lost_events = lost_events,
                               .unknown_frees = unknown_frees,
                               .missed_frees = missed_frees,
                               .unresolved_references = unresolved_references,
                               .is_complete = is_complete},
                              metadata_json);
    });
    self.give_up();
    return dict_of(summary);
}

} // namespace

void bind_trace_builder(py::module_& module) {
    const py::none none;
    py::class_<SharedBuilder>(module, "TraceBuilder")
        .def(py::init<const std::string&, int, std::size_t>(), py::arg("path"), py::kw_only(),
             py::arg("level") = TraceWriter::Options{}.level,
             py::arg("chunk_events") = TraceWriter::Options{}.chunk_events)
        .def_property_readonly("events",
                               [](SharedBuilder& self) {
                                   return self.change(
                                       [](auto& builder) { return builder.events(); });
                               })
        .def_property_readonly("objects",
                               [](SharedBuilder& self) {
                                   return self.change(
                                       [](auto& builder) { return builder.objects(); });
                               })
        .def(
            "intern",
            [](SharedBuilder& self, const std::string& name) {
                return self.change([&](TraceBuilder& builder) { return builder.intern(name); });
            },
            py::arg("name"))
        .def("append", &append, py::kw_only(), py::arg("kind"), py::arg("call") = none,
             py::arg("thread") = none, py::arg("object") = none, py::arg("size") = none,
             py::arg("alignment") = none, py::arg("time_ns") = none, py::arg("value") = none,
             py::arg("site") = none, py::arg("tag") = none)
        .def("set_stacks", &set_stacks, py::arg("columns"))
        .def("set_touched", &set_touched, py::arg("columns"))
        .def("finish", &finish, py::arg("metadata_json"), py::kw_only(),
             py::arg("is_complete") = true, py::arg("lost_events") = 0,
             py::arg("unknown_frees") = 0, py::arg("missed_frees") = 0,
             py::arg("unresolved_references") = 0)
        .def("give_up", &SharedBuilder::give_up);
}

} // namespace alloclab::bindings
