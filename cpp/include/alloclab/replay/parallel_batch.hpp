// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/op.hpp>

#include <cstdint>
#include <vector>

namespace alloclab {

// One thread's part of a batch: its ops in order, with what it waits for and tells in between.
struct ThreadOps {
    std::vector<Op> ops;
    std::uint32_t first_epoch = 0;
};

// A thread to be started, between two ops of the thread before it in recorded order.
struct ThreadStart {
    std::uint32_t thread = 0;
    std::uint32_t epoch = 0; // of its first event: all before that is done when it starts
    std::uint32_t ended = 0; // so many threads, in the order of their ends, have been joined then
};

// A batch of a trace, by thread. Its events are cut into epochs, short runs in recorded order:
//
//     an op of epoch e runs only when every op of the epochs before floors[e] is done
//
// which bounds how far threads come apart. Everything waited for is earlier in recorded order, so
// the earliest op that is not done never waits, and no trace can make a replay hang.
struct ParallelBatch {
    std::vector<ThreadOps> threads; // by thread number
    std::vector<std::uint32_t> floors;
    std::vector<ThreadStart> starts;
    std::uint32_t starts_first = 0;   // so many of these come before any op
    std::uint32_t started_before = 0; // threads, in earlier batches
    std::uint32_t started = 0;        // threads, at its end
    std::uint64_t end_event = 0;      // of the trace
};

} // namespace alloclab
