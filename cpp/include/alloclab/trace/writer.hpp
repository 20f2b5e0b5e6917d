// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/chunk_encoder.hpp>
#include <alloclab/trace/stacks.hpp>
#include <alloclab/trace/summary.hpp>
#include <alloclab/trace/touched.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace alloclab {

// Writes one sealed trace, front to back. The file has its own name only after `finish`; before, it
// is ".<16 hex digits>.partial" in the same folder, removed when the writer is destroyed early.
// Cost: memory for one chunk and for the touched rows; time is mostly zstd's.
class TraceWriter {
public:
    struct Options {
        int level = 6; // zstd's, 1 to 22
        std::size_t chunk_events = trace_format::default_chunk_events;
    };

    // Throws: SystemError when the file cannot be created, Error for an option out of range.
    TraceWriter(const std::filesystem::path& path, Options options);
    ~TraceWriter();
    TraceWriter(const TraceWriter&) = delete;
    TraceWriter& operator=(const TraceWriter&) = delete;

    // Appends an event; the object it creates, if any, gets the next id.
    // Requires: `event.code` is known, its object exists; `time_ns` never runs backwards.
    // Returns the event's index.
    // Throws: SystemError when the disk is full.
    std::uint64_t append(const Event& event, std::uint64_t time_ns);

    // The index of `name` among the interned ones.
    std::uint64_t intern(std::string_view name);

    // An index for a name whose text is told later, before finish(); it is not found by intern().
    std::uint64_t reserve_name();
    void set_name(std::uint64_t index, std::string_view text) { names_[index] = text; }

    // Takes the rows of the touched table, in order of their events.
    void set_touched(std::vector<Touched> rows) { touched_ = std::move(rows); }

    // Takes the call stacks that the events' sites name.
    // Requires: StackTable's invariant; names interned here.
    void set_stacks(StackTable stacks) { stacks_ = std::move(stacks); }

    std::uint64_t events() const { return events_; }
    std::uint64_t objects() const { return objects_; }
    std::size_t names() const { return names_.size(); }

    // Writes the footer and gives the file its name. `summary.events` and `.objects` are filled in.
    // Throws: SystemError.
    void finish(TraceSummary summary, std::string_view metadata_json);

private:
    struct File;
    struct ChunkEntry {
        std::uint64_t offset, events, first_object, first_time_ns;
    };

    void write_chunk();
    std::vector<std::uint8_t> footer(const TraceSummary& summary, std::string_view metadata) const;

    std::unique_ptr<File> file_;
    Options options_;
    ChunkEncoder encoder_;
    std::vector<ChunkEntry> chunks_;
    std::vector<Touched> touched_;
    StackTable stacks_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::uint64_t> name_index_;
    std::uint64_t events_ = 0;
    std::uint64_t objects_ = 0;
};

} // namespace alloclab
