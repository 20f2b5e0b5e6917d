// SPDX-License-Identifier: MIT
//
// Whatever a capture says, sealing it gives one error or a trace that can be read and replayed:
// what this target looks for beyond crashes is a trace of ours that our own reader refuses.

#include "capture_image.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/program_builder.hpp>
#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/resolver.hpp>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace {

using namespace alloclab;

// Returns false when the capture cannot be read to its end.
bool seal(std::span<const std::byte> capture, const std::filesystem::path& trace) {
    try {
        CaptureReader reader(capture);
        TraceWriter writer(trace, {.level = 1});
        Resolver resolver(writer);
        RawEvent event;
        while (reader.next(event)) {
            resolver.append(event);
        }
        writer.finish(resolver.finish(), "{}");
        return true;
    } catch (const TraceError&) {
        return false;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const std::filesystem::path trace =
        std::filesystem::temp_directory_path() / ("seal_fuzz-" + std::to_string(::getpid()));
    if (!seal(capture_image(std::as_bytes(std::span{bytes, count})), trace)) {
        return 0;
    }
    try {
        TraceReader reader(trace);
        ProgramBuilder builder(reader, {.is_mapped = true, .samples = 10});
        Program program;
        while (builder.next(program)) {
        }
    } catch (const Error& error) {
        std::fprintf(stderr, "a sealed trace is refused: %s\n", error.what());
        __builtin_trap();
    }
    std::filesystem::remove(trace);
    return 0;
}
