// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alloclab {

// Writes a trace from events that already name objects: what importers and generators make. Each
// event is checked against those before it, and the summary is counted on the way, by the rules
// that sealing a capture follows.
// Cost: O(1) an event; 16 bytes of memory for each object, alive or not, and TraceWriter's.
class TraceBuilder {
public:
    // What only the source of the events knows of the whole.
    struct Doubts {
        std::uint64_t lost_events = 0;
        std::uint64_t unknown_frees = 0; // of blocks whose allocation was not seen: left out
        std::uint64_t missed_frees = 0;  // ends the source did not tell
        std::uint64_t inversions = 0;    // ends it told after what came of them: put right
        std::uint64_t unresolved_references = 0;
        bool is_complete = true;
    };

    // Throws: as TraceWriter.
    TraceBuilder(const std::filesystem::path& path, TraceWriter::Options options)
        : writer_(path, options) {}

    // Appends an event; a time before the last one counts as the last one. An object it creates
    // gets the id objects() had before. An alignment, for the calls that have one, is a logarithm;
    // names, tags and scopes are numbered as in the file.
    // Returns the event's index.
    // Throws: TraceError, "event N: ..." when it cannot follow those before; SystemError.
    std::uint64_t append(const Event& event, std::uint64_t time_ns);

    std::uint64_t intern(std::string_view name) { return writer_.intern(name); }

    // The call stacks that sites number from 1; they may come after the events.
    // Throws: Error when StackTable's invariant does not hold or a name is not interned.
    void set_stacks(StackTable stacks);

    // Rows of the touched table in order of their events, which may come after them.
    // Throws: Error when they are not in order, or one has more pages resident than it has.
    void set_touched(std::vector<Touched> rows);

    std::uint64_t events() const { return writer_.events(); }
    std::uint64_t objects() const { return writer_.objects(); }
    std::uint64_t live_objects() const { return live_objects_; }
    // The size of an object, whether it lives or not. Requires: it exists.
    std::uint64_t size_of(std::uint64_t object) const { return objects_[object].size; }

    // Ends the trace and gives the file its name. Returns the whole summary.
    // Throws: TraceError when an event names a call stack that is not there, or a touched row an
    // event; SystemError.
    TraceSummary finish(const Doubts& doubts, std::string_view metadata_json);

private:
    enum class State : std::uint8_t { ended, block, region };
    struct Object {
        std::uint64_t size = 0;
        std::uint32_t thread = 0;
        State state = State::ended;
    };
    struct Scope {
        std::uint32_t thread = 0;
        bool is_open = true;
    };

    [[noreturn]] void fail(const std::string& reason) const;
    void check(const Event& event) const;
    void check_operands(const Event& event) const;
    void check_values(const Event& event) const;
    void check_totals(const Event& event) const;
    void check_alive(std::uint64_t object, State state) const;
    void check_live_block_or_null(std::uint64_t object_plus_one) const;
    void count(const Event& event);
    void count_end(const Event& event);
    void count_marker(const Event& event);
    void begin(const Event& event, State state);
    void grow_requested(std::uint64_t bytes);
    void resize_mapped(std::uint64_t from, std::uint64_t to);

    TraceWriter writer_;
    TraceSummary summary_;
    std::vector<Object> objects_;
    std::vector<Scope> scopes_;
    std::uint32_t highest_site_ = 0;
    std::uint64_t open_scopes_ = 0;
    std::uint64_t live_objects_ = 0;
    std::uint64_t requested_live_bytes_ = 0;
    std::uint64_t mapped_live_bytes_ = 0;
    std::uint64_t touched_events_ = 0; // what the last touched row needs at least
    std::uint64_t time_ns_ = 0;
};

} // namespace alloclab
