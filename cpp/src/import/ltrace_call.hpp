// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/scanner.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace alloclab {

// A function whose calls an ltrace log tells of blocks.
struct LtraceFunction {
    enum class Call : std::uint8_t {
        malloc,
        calloc,
        realloc,
        memalign,
        aligned_alloc,
        posix_memalign,
        free
    };
    std::string_view name; // as ltrace prints it, demangled or not
    Call call;
    std::uint8_t arguments; // how many are needed; there may be more
};

struct LtraceCall {
    const LtraceFunction* function = nullptr;
    std::array<std::uint64_t, 3> arguments{};
    std::uint64_t result = 0;
};

// Takes a function's name and the bracket behind it, or, when it `is_resumed`, " resumed>".
// Returns null, and takes nothing, when it is not one of ours.
const LtraceFunction* take_ltrace_function(Scanner& scan, bool is_resumed);

// Takes the arguments that are needed. Throws: TraceError with a reason.
LtraceCall read_ltrace_arguments(const LtraceFunction& function, Scanner& scan);

// Whether the line breaks off here, to be resumed or not.
bool ends_unfinished(const Scanner& scan);

// Takes the rest of a call and returns what it returned, 0 for nothing.
// Throws: TraceError with a reason.
std::uint64_t read_ltrace_result(const LtraceFunction& function, Scanner& scan);

} // namespace alloclab
