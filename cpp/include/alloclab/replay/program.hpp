// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/op_buffer.hpp>

#include <cstdint>
#include <vector>

namespace alloclab {

enum class WideCode : std::uint8_t {
    allocate,
    allocate_zero,
    allocate_aligned,
    reallocate,
    map,
    unmap,
    split, // other_slot: the new part
    remap,
    discard,
};

// An event that does not fit an Op: large, aligned, touched in part, or about mapped memory.
struct WideOp {
    WideCode code{};
    bool is_prefix = true;        // the touched pages are one run from the start
    std::uint32_t other_slot = 0; // split
    std::uint64_t size = 0;
    std::uint64_t old_size = 0;    // unmap, remap: of the region as it is
    std::uint64_t alignment = 0;   // allocate_aligned
    std::uint64_t offset = 0;      // discard, split
    std::uint64_t touch_pages = 0; // how many pages to write to; 0: none
};

// A point between two ops at which the timeline is sampled, and what the trace says is live there.
struct SamplePoint {
    std::uint64_t op = 0;    // ops [0, op) of the batch come before it
    std::uint64_t event = 0; // events before it in the trace
    std::uint64_t requested_live_bytes = 0;
    std::uint64_t touched_live_bytes = 0;
    std::uint64_t allocated_bytes = 0; // so far, reallocations by their growth
};

// From an event and an op on, until the next of these, everything is one thread's.
struct ThreadRun {
    std::uint64_t event = 0; // of the trace
    std::size_t op = 0;
    std::uint32_t thread = 0; // as recorded
};

// A batch of a trace, decoded.
struct Program {
    OpBuffer ops;
    std::vector<WideOp> wide;
    std::vector<SamplePoint> samples;
    std::vector<ThreadRun> runs; // where threads are asked for
    std::uint64_t end_event = 0; // of the trace; likewise
};

} // namespace alloclab
