// SPDX-License-Identifier: MIT
//
// What lies inside the frames of a trace: columns, footer.

#include "read_all.hpp"
#include "trace_image.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    alloclab::read_all(alloclab::trace_image({bytes, count}));
    return 0;
}
