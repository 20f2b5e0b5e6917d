// SPDX-License-Identifier: MIT
//
// Whatever a foreign file says, importing it gives one error or a trace that can be read and
// replayed. The first byte picks the format, the second where the rest is cut into two pieces; its
// top bit allows an input that ends in the middle.

#include <alloclab/base/error.hpp>
#include <alloclab/import/importer.hpp>
#include <alloclab/replay/program_builder.hpp>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace {

using namespace alloclab;

// Returns false when the file is refused.
bool import(std::span<const std::uint8_t> input, const std::filesystem::path& trace) {
    static const auto formats = import_formats();
    const bool is_truncation_allowed = input[1] >= 128;
    const std::span<const std::uint8_t> file = input.subspan(2);
    const std::size_t cut = file.size() * (input[1] % 128) / 127;
    try {
        const auto importer =
            make_importer(formats[input[0] % formats.size()], trace,
                          {.level = 1, .is_truncation_allowed = is_truncation_allowed});
        importer->feed(file.first(cut));
        importer->feed(file.subspan(cut));
        importer->end(false);
        importer->finish("{}");
        return true;
    } catch (const TraceError&) {
        return false;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const std::filesystem::path trace =
        std::filesystem::temp_directory_path() / ("import_fuzz-" + std::to_string(::getpid()));
    if (count < 2) {
        return 0;
    }
    if (!import({bytes, count}, trace)) {
        if (std::filesystem::exists(trace)) {
            std::fprintf(stderr, "a refused file left a trace\n");
            __builtin_trap();
        }
        return 0;
    }
    try {
        TraceReader reader(trace);
        ProgramBuilder builder(reader, {.is_mapped = true, .samples = 10});
        Program program;
        while (builder.next(program)) {
        }
    } catch (const Error& error) {
        std::fprintf(stderr, "an imported trace is refused: %s\n", error.what());
        __builtin_trap();
    }
    std::filesystem::remove(trace);
    return 0;
}
