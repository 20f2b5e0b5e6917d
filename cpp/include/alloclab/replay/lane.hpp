// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/milestone.hpp>
#include <alloclab/replay/op.hpp>
#include <alloclab/replay/program.hpp>

#include <cstdint>
#include <span>

namespace alloclab {

struct ReplayCounts;

// How a thread of a parallel replay and the others learn of each other, as its lane sees it.
class LaneSync {
public:
    explicit LaneSync(Patience& patience) : patience(patience) {}
    virtual ~LaneSync() = default;

    // Waits until `thread` has done its first `ops` ops.
    virtual void wait(std::uint32_t thread, std::uint32_t ops) = 0;

    // Does what an op of OpCode::control says.
    virtual void control(ControlCode code, std::uint32_t number) = 0;

    // How many ops of this thread's are done; raised after those that are awaited.
    Milestone done;
    Patience& patience; // of all threads
};

// The replay of one thread: its own counts, the heap and the table of blocks shared with the
// others.
class Lane {
public:
    virtual ~Lane() = default;

    // Does `ops`; `program` has what does not fit them.
    virtual void run(std::span<const Op> ops, const Program& program, LaneSync& sync) = 0;

    virtual const ReplayCounts& counts() const = 0;
};

} // namespace alloclab
