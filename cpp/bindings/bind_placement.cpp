// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "numpy.hpp"

#include <alloclab/measure/placement.hpp>

namespace py = pybind11;

namespace alloclab::bindings {

namespace {

using Column = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

std::span<const std::int64_t> span_of(const Column& column) {
    return {column.data(), static_cast<std::size_t>(column.size())};
}

py::dict figures_of(const PlacementFigures& found) {
    py::dict result;
    result["failed_allocations"] = found.refused_blocks;
    result["failed_bytes"] = found.refused_bytes;
    result["block_bytes_total"] = found.block_bytes_total;
    result["peak_requested_live_bytes"] = found.peak_requested_live_bytes;
    result["peak_requested_event"] = found.peak_requested_event;
    result["block_live_bytes_at_peak_requested"] = found.block_live_bytes_at_peak_requested;
    result["extent_bytes_at_peak_requested"] = found.extent_bytes_at_peak_requested;
    result["peak_block_live_bytes"] = found.peak_block_live_bytes;
    result["high_water_bytes"] = found.high_water.extent_bytes;
    result["high_water_event"] = found.high_water.event;
    result["requested_live_bytes_at_high_water"] = found.high_water.requested_live_bytes;
    result["block_live_bytes_at_high_water"] = found.high_water.block_live_bytes;
    result["mean_extent_ratio"] = found.mean_extent_ratio;
    return result;
}

py::dict samples_of(const std::vector<PlacementSample>& samples) {
    const auto column = [&](std::uint64_t PlacementSample::*field) {
        std::vector<std::int64_t> values;
        values.reserve(samples.size());
        for (const PlacementSample& sample : samples) {
            values.push_back(static_cast<std::int64_t>(sample.*field));
        }
        return to_numpy(std::move(values));
    };
    py::dict result;
    result["event"] = column(&PlacementSample::event);
    result["requested_live_bytes"] = column(&PlacementSample::requested_live_bytes);
    result["block_live_bytes"] = column(&PlacementSample::block_live_bytes);
    result["extent_bytes"] = column(&PlacementSample::extent_bytes);
    result["largest_free_run_bytes"] = column(&PlacementSample::largest_free_run_bytes);
    result["allocated_bytes"] = column(&PlacementSample::allocated_bytes);
    return result;
}

py::tuple judge(const Column& offset, const Column& size, const Column& block_size,
                const Column& birth, const Column& death, std::uint64_t events,
                bool may_move_onto_itself, const Column& sample_events) {
    const BlockColumns blocks{span_of(offset), span_of(size), span_of(block_size), span_of(birth),
                              span_of(death)};
    const PlacementOptions options{events, may_move_onto_itself, span_of(sample_events)};
    PlacementFigures found;
    {
        const py::gil_scoped_release release;
        found = judge_placement(blocks, options);
    }
    py::object overlap = py::none();
    if (found.overlap) {
        overlap = py::make_tuple(found.overlap->row, found.overlap->other);
    }
    return py::make_tuple(overlap, figures_of(found), samples_of(found.samples));
}

} // namespace

void bind_placement(py::module_& module) {
    module.def("judge_placement", &judge, py::kw_only(), py::arg("offset"), py::arg("size"),
               py::arg("block_size"), py::arg("birth"), py::arg("death"), py::arg("events"),
               py::arg("may_move_onto_itself"), py::arg("sample_events"));
}

} // namespace alloclab::bindings
