// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/foreign_blocks.hpp>
#include <alloclab/trace/builder.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alloclab {

struct ImportOptions {
    int level = 6; // zstd's, 1 to 22
    // An input that ends in the middle gives a trace of what came before, marked incomplete.
    bool is_truncation_allowed = false;
};

// What an import knows of its input once it has ended, for the metadata's "origin".
struct ImportReport {
    std::map<std::string, std::uint64_t, std::less<>> left_out; // counts by what it was; none is 0
    std::vector<std::string> cannot_say; // "threads", "time", "end", ...: what the input lacks
    // What it says of itself: "command", "sample_rate", ...
    std::map<std::string, std::string, std::less<>> told;
    std::string truncated_at;      // "line 12", "offset 4711"; empty: it did not break off
    std::uint64_t lost_events = 0; // that the input says are missing from it
    bool is_complete = false;      // the input says that it is all there
};

// Turns a foreign format, pushed in pieces of any size, into a trace. A format derives from it, or
// from LineImporter; the bytes are already decompressed.
//     importer->feed(piece) ...; report = importer->end(false); importer->finish(metadata)
// Nothing stands at the trace's path before finish(), nor after an error or an early destruction.
class Importer {
public:
    virtual ~Importer() = default;
    Importer(const Importer&) = delete;
    Importer& operator=(const Importer&) = delete;

    // Takes the next bytes. Requires: no end() before, and no error.
    // Throws: TraceError that names the line or offset; SystemError when the disk is full.
    virtual void feed(std::span<const std::uint8_t> bytes) = 0;

    // Takes the end of the input; `is_cut`: its source broke off there.
    // Throws: as feed(); TraceError when it ends in the middle, which the options may allow.
    const ImportReport& end(bool is_cut);

    // Writes the rest and gives the trace its name. Requires: end().
    // Returns: the whole summary. Throws: SystemError.
    TraceSummary finish(std::string_view metadata_json);

protected:
    // Throws: as TraceWriter.
    Importer(const std::filesystem::path& trace, const ImportOptions& options)
        : builder_(trace, {.level = options.level}), blocks_(builder_),
          is_truncation_allowed_(options.is_truncation_allowed) {}

    // What a format does at the end: complete `report_`, but for the counts of `blocks_`.
    virtual void end_input(bool is_cut) = 0;

    // Throws TraceError where the input ends in the middle, unless that is allowed: then says so
    // in the report. `where` is "line 12" or "offset 4711".
    void note_truncation(const std::string& where, const std::string& reason);

    // Counts something that has no place in a trace. The kinds may come from the input: beyond 64
    // of them the rest count as "other".
    void leave_out(std::string_view kind, std::uint64_t count = 1);

    TraceBuilder builder_;
    ForeignBlocks blocks_;
    ImportReport report_;
    bool is_truncation_allowed_;
};

// The names of the formats, in the order of their registry.
std::vector<std::string_view> import_formats();

// Throws: Error when there is no such format; as TraceWriter.
std::unique_ptr<Importer> make_importer(std::string_view format, const std::filesystem::path& trace,
                                        const ImportOptions& options);

} // namespace alloclab
