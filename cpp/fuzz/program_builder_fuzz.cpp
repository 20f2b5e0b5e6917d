// SPDX-License-Identifier: MIT
//
// What a replay makes of a trace whose columns can be decoded but may contradict themselves: blocks
// freed twice, regions freed as blocks, sizes that no machine has.

#include "trace_image.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/program_builder.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace alloclab;
    const Bytes file = trace_image({bytes, count});
    for (const bool is_mapped : {false, true}) {
        try {
            TraceReader reader(file, "fuzz");
            ProgramBuilder builder(reader, {.is_mapped = is_mapped, .samples = 10});
            Program program;
            while (builder.next(program)) {
            }
        } catch (const TraceError&) { // expected
        }
    }
    return 0;
}
