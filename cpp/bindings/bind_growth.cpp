// SPDX-License-Identifier: MIT
#include "bindings.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/measure/growth.hpp>

#include <pybind11/stl.h>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

py::dict to_dict(const GrowthResult& result) {
    py::dict row;
    row["payload_bytes"] = result.payload_bytes;
    row["capacity_bytes"] = result.capacity_bytes;
    row["allocated_bytes"] = result.allocated_bytes;
    row["copied_bytes"] = result.copied_bytes;
    row["used_bytes"] = result.used_bytes;
    row["mapped_bytes"] = result.mapped_bytes;
    row["peak_mapped_bytes"] = result.peak_mapped_bytes;
    row["allocation_count"] = result.allocation_count;
    row["moved_count"] = result.moved_count;
    row["build_ns"] = result.build_ns;
    row["is_counted"] = result.is_counted;
    return row;
}

py::dict growth_experiment(const std::string& strategy, std::size_t item_bytes,
                           std::size_t item_count, std::size_t table_count, std::size_t first_count,
                           double growth, std::size_t threshold_bytes,
                           const std::map<std::string, std::string>& arena) {
    GrowthSetup setup;
    setup.item_bytes = item_bytes;
    setup.item_count = item_count;
    setup.table_count = table_count;
    setup.first_count = first_count;
    setup.growth = growth;
    setup.threshold_bytes = threshold_bytes;
    setup.arena.poison = ArenaPoison::none;
    const auto set = [&setup](const std::string& name, const std::string& value) {
        if (!setup.arena.set(name, value)) {
            throw Error("growth experiment: arena option \"" + name +
                        "\" is unknown or cannot be \"" + value + "\"");
        }
    };
    if (const auto preset = arena.find("preset"); preset != arena.end()) {
        set(preset->first, preset->second); // the others change what it says
    }
    for (const auto& [name, value] : arena) {
        if (name != "preset") {
            set(name, value);
        }
    }
    GrowthResult result;
    {
        const py::gil_scoped_release release;
        result = measure_growth(strategy, setup);
    }
    return to_dict(result);
}

} // namespace

void bind_growth(py::module_& module) {
    py::list names;
    for (const std::string_view strategy : growth_strategies()) {
        names.append(std::string(strategy));
    }
    module.attr("growth_strategies") = py::tuple(names);
    module.def("growth_experiment", &growth_experiment, py::arg("strategy"), py::kw_only(),
               py::arg("item_bytes"), py::arg("item_count"), py::arg("table_count"),
               py::arg("first_count"), py::arg("growth"), py::arg("threshold_bytes"),
               py::arg("arena"));
}

} // namespace alloclab::bindings
