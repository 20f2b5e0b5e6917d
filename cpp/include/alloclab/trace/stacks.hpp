// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace alloclab {

// One function of a call stack: what a return address, or an interpreter, stood for. Names are
// indices into the trace's names.
struct StackFrame {
    static constexpr std::uint32_t unknown = ~std::uint32_t{0};

    std::uint32_t function = unknown;
    std::uint32_t file = unknown;
    std::uint32_t module = unknown; // the path of the object the code lies in
    std::uint32_t line = 0;         // 0: unknown
    std::uint64_t offset = 0;       // in the module's own addresses
    bool is_inlined = false;        // into the frame that is its caller

    bool operator==(const StackFrame&) const = default;
};

// The call stacks of a trace as one tree: stacks that begin alike share their outer frames.
// Invariant: nodes[n].parent <= n; stacks[s] < nodes.size(); every frame index < frames.size().
struct StackTable {
    struct Node {
        std::uint32_t parent = 0; // the caller's node + 1; 0: the outermost frame
        std::uint32_t frame = 0;
    };
    std::vector<std::uint32_t> stacks; // the innermost node of each
    std::vector<Node> nodes;
    std::vector<StackFrame> frames;
};

} // namespace alloclab
