// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/capture_names.hpp>
#include <alloclab/seal/stack_builder.hpp>
#include <alloclab/trace/stacks.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace alloclab {

// One function that an address stands for; several where functions were inlined.
struct SymbolFrame {
    std::string function; // may be empty: unknown
    std::string file;
    std::uint32_t line = 0;
    bool is_inlined = false;
};

struct CodeAddress {
    std::uint32_t module = 0; // index into the modules
    std::uint64_t offset = 0; // a return address, in the module's own addresses
};

struct Symbols {
    std::vector<std::vector<SymbolFrame>> frames; // of each address, innermost first; may be short
    std::vector<std::string> module_names;        // as they shall stand in the trace; may be short
};

// Finds what stands at addresses of code. Called once a capture, where it has sites. Behind the
// modules that addresses may lie in stand the files of interpreted code, for their names alone.
using Symbolizer =
    std::function<Symbols(const std::vector<CapturedModule>&, const std::vector<CodeAddress>&)>;

// Turns gathered stacks into those of a trace: addresses become functions, and one with inlined
// functions several frames. Stacks keep their numbers. Without a symbolizer frames have a module
// and an offset and no function.
StackTable finish_stacks(const StackBuilder& builder, CaptureNames& names, TraceWriter& writer,
                         const Symbolizer& symbolize);

} // namespace alloclab
