// SPDX-License-Identifier: MIT
#pragma once

// What follows type checking: MIR, which is kept whole, and the text generated from it (Q3). None
// of it leaks.

#include "quartz_ast.hpp"

#include <alloclab/marker.h>

namespace quartz {

struct Instruction {
    std::uint32_t operation;
    std::uint32_t operands[12];
};

// Where the values of a block are first and last needed; of no use once its code is generated.
struct Liveness {
    std::uint32_t value;
    std::uint32_t ends[6];
};

struct BasicBlock {
    std::vector<Instruction> instructions;
    std::vector<Liveness> liveness;
};

struct Local {
    std::uint64_t type;
    std::uint64_t slot;
    std::uint64_t binding;
};

struct MirFunction {
    std::vector<BasicBlock> blocks;
    std::vector<Local> locals;
};

// A basic block for each run of statements that no block interrupts.
inline MirFunction lowered(const Function& function) {
    alloclab::Scope scope("function", function.name.c_str());
    const auto is_block = [](const Node& node) { return node.kind == NodeKind::block; };
    MirFunction mir;
    {
        alloclab::Tag tag("mir/blocks");
        mir.blocks.resize(static_cast<std::size_t>(
            std::count_if(function.body.begin(), function.body.end(), is_block)));
    }
    auto node = function.body.begin();
    std::size_t bindings = 0;
    for (BasicBlock& block : mir.blocks) {
        std::size_t instructions = 1 + node->detail % 2;
        for (++node; node != function.body.end() && !is_block(*node); ++node) {
            instructions += 2 + node->detail % 4;
            bindings += node->kind == NodeKind::let;
        }
        {
            alloclab::Tag tag("mir/instructions");
            block.instructions.resize(instructions);
        }
        alloclab::Tag tag("mir/liveness");
        block.liveness.resize(instructions);
    }
    alloclab::Tag tag("mir/locals");
    mir.locals.resize(bindings);
    return mir;
}

inline std::vector<MirFunction> lower(const std::vector<Function>& functions) {
    alloclab::Phase phase("mir");
    std::vector<MirFunction> lowered_functions;
    lowered_functions.reserve(functions.size());
    for (const Function& function : functions) {
        lowered_functions.push_back(lowered(function));
    }
    return lowered_functions;
}

// Appends the text of each function and lets go of what was only needed for that.
inline std::string generate(std::vector<MirFunction>& functions) {
    static constexpr std::size_t text_bytes = 5; // an instruction's
    alloclab::Phase phase("codegen");
    alloclab::Tag tag("codegen/text");
    std::string text;
    for (MirFunction& function : functions) {
        for (BasicBlock& block : function.blocks) {
            text.append(text_bytes * block.instructions.size(), 'i');
            block.liveness = std::vector<Liveness>();
        }
    }
    return text;
}

} // namespace quartz
