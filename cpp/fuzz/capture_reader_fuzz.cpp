// SPDX-License-Identifier: MIT
//
// A capture as the recorder, a crash or an enemy left it.

#include <alloclab/base/error.hpp>
#include <alloclab/record/capture_format.hpp>
#include <alloclab/seal/capture_reader.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace alloclab;

// A capture's head is 64 KiB of mostly zeros. The input holds only what is read of it: this much
// of the header and this much of the text, then the windows.
constexpr std::size_t header_input_bytes = 256;
constexpr std::size_t text_input_bytes = 256;

std::vector<std::byte> spread(std::span<const std::byte> input) {
    std::vector<std::byte> file(capture::head_bytes);
    const auto header = input.first(std::min(header_input_bytes, input.size()));
    std::copy(header.begin(), header.end(), file.begin());
    input = input.subspan(header.size());
    const auto text = input.first(std::min(text_input_bytes, input.size()));
    std::copy(text.begin(), text.end(), file.begin() + capture::text_offset);
    input = input.subspan(text.size());
    file.insert(file.end(), input.begin(), input.end());
    return file;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const auto file = spread(std::as_bytes(std::span{bytes, count}));
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
