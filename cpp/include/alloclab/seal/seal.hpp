// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/output_marks.hpp>
#include <alloclab/seal/symbols.hpp>
#include <alloclab/trace/summary.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace alloclab {

struct SealOptions {
    int level = 9; // zstd's, 1 to 22
    std::string_view metadata_json = "{}";
    std::function<void(std::uint64_t)> progress; // called now and then with the events so far
    // In order, by CLOCK_MONOTONIC; those outside the capture's time are left out.
    std::vector<OutputMark> marks;
    Symbolizer symbolize; // empty: call sites stay addresses in objects
};

// Makes a trace of a capture: merges its threads, resolves addresses to objects, compresses.
// Returns: what the trace adds up to.
// Throws: TraceError for bytes that are no capture, SystemError for files; then no trace is left.
// Cost: some 60 ns an event at the usual levels; memory follows the live objects.
TraceSummary seal_capture(const std::filesystem::path& capture, const std::filesystem::path& trace,
                          const SealOptions& options);

} // namespace alloclab
