// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/crew.hpp>
#include <alloclab/replay/kernel.hpp>
#include <alloclab/replay/program_splitter.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// How the threads of a trace are replayed.
enum class ReplayOrder : std::uint8_t {
    exact,    // the recorded order of all events, on one thread
    parallel, // each thread as one, together only where an object crosses threads
};

// One measurement: one trace, one heap, in this process, once.
struct SessionConfig {
    std::string trace;
    KernelConfig kernel;
    ReplayOrder order = ReplayOrder::exact;
    std::uint64_t max_distance = default_max_distance; // parallel: in events, between threads
    bool is_mapped = false;
    std::uint64_t samples = 2000;
    std::uint64_t stop_after_events = ~std::uint64_t{0};
    std::uint64_t batch_events = std::uint64_t{1} << 24;
    // Called between stretches of the replay with events done and in all; may be empty.
    std::function<void(std::uint64_t, std::uint64_t)> progress;
    // Measure::placement: called after each batch with what its allocations gave; may be empty.
    std::function<void(std::span<const PlacedBlock>)> placed;
};

// In parallel order `event` is where the recorded order is cut; what is live then is the trace's, and
// other threads may be up to the distance bound away from it.
struct TimelinePoint {
    std::uint64_t event = 0;
    std::uint64_t requested_live_bytes = 0;
    std::uint64_t touched_live_bytes = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t anonymous_bytes = 0;
    std::uint64_t block_live_bytes = 0; // Measure::blocks
};

// What a session found. Bytes, nanoseconds and counts; the names are those of the child's JSON.
struct SessionResult {
    std::string call_path;
    bool is_touch_unknown = false; // touching was asked as recorded and the trace does not know
    std::uint64_t events = 0;
    std::uint64_t replayed_events = 0; // calls to the allocator, the denominator of ns_per_event
    std::uint64_t decode_ns = 0;       // CPU time of decoding, not part of cpu_ns
    std::uint64_t cpu_ns = 0;
    std::uint64_t wall_ns = 0;
    std::uint64_t page_faults = 0;
    std::uint64_t anonymous_start_bytes = 0;
    std::uint64_t anonymous_end_bytes = 0;
    std::uint64_t anonymous_peak_bytes = 0;
    std::string anonymous_peak_doubt; // why the peak cannot be trusted; empty when it can
    std::uint64_t peak_requested_live_bytes = 0;
    std::uint64_t peak_requested_event = 0;
    std::uint64_t peak_touched_live_bytes = 0;
    ReplayCounts counts;
    CrewCounts crew; // parallel order; so are the next two, as ProgramSplitter says
    std::uint64_t ordered_ops = 0;
    std::uint64_t longest_chain_ops = 0;
    std::vector<NamedCount> stats;
    std::vector<TimelinePoint> timeline; // Measure::timeline, Measure::blocks
};

// Decodes and replays the trace. The caller has pinned the process and switched off address
// randomisation and huge pages.
// Throws: TraceError, SystemError, Error; NotMeasuredError for what the order or the heap cannot.
SessionResult run_session(const SessionConfig& config);

} // namespace alloclab
