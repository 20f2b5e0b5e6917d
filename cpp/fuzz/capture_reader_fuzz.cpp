// SPDX-License-Identifier: MIT
//
// A capture as the recorder, a crash or an enemy left it.

#include "capture_image.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/seal/capture_reader.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace alloclab;
    const auto file = capture_image(std::as_bytes(std::span{bytes, count}));
    try {
        CaptureReader reader(file);
        RawEvent event;
        // An event takes at least a byte, so more than this is a reader going round in circles.
        std::size_t events = 0;
        while (reader.next(event)) {
            if (++events > 8 * file.size()) {
                __builtin_trap();
            }
        }
    } catch (const TraceError&) { // expected
    }
    return 0;
}
