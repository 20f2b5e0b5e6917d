// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/reader.hpp>

#include <cstdint>
#include <vector>

namespace alloclab {

// One chunk as columns of equal length, a row an event.
struct EventColumns {
    std::vector<std::uint8_t> kind; // EventKind without the call
    std::vector<std::uint8_t> call; // AllocationCall of allocate and allocate_failed, else 0
    std::vector<std::uint32_t> thread;
    std::vector<std::uint64_t> object;
    std::vector<std::uint64_t> size;
    std::vector<std::uint64_t> alignment; // bytes; 0: the call's default
    std::vector<std::uint64_t> time_ns;   // interpolated between stamps
    std::vector<std::uint64_t> value;     // three a row: the operands of scopes, marks, footprints
    std::vector<std::uint32_t> site;      // call stack + 1, 0: unknown
    std::vector<std::uint32_t> tag;       // name + 1, 0: none
};

// Decodes chunk `index`. Throws: TraceError, SystemError. Cost: some 70 bytes an event.
EventColumns read_event_columns(TraceReader& reader, std::size_t index);

// What of a chunk a simulated allocator needs: the same columns without the others.
struct CallColumns {
    std::vector<std::uint8_t> kind;
    std::vector<std::uint64_t> object;
    std::vector<std::uint64_t> size;
    std::vector<std::uint64_t> alignment;
};

// Decodes chunk `index`. Throws: TraceError, SystemError. Cost: 25 bytes an event, and half the
// time of read_event_columns.
CallColumns read_call_columns(TraceReader& reader, std::size_t index);

// One row an object, in the order of their ids.
struct ObjectTable {
    static constexpr std::int64_t alive = -1; // in `death`

    std::vector<std::uint64_t> size;     // as first requested, bytes
    std::vector<std::uint64_t> max_size; // the largest it was reallocated to
    std::vector<std::int64_t> birth;     // event index
    std::vector<std::int64_t> death;     // event index, or alive
    std::vector<std::uint32_t> birth_thread;
    std::vector<std::uint32_t> death_thread;
    std::vector<std::uint32_t> reallocations;
    std::vector<std::uint8_t> is_region; // mapped by the program itself
    std::vector<std::int32_t> scope; // innermost one open at birth: row of the scope table, or -1
    std::vector<std::int32_t> site;  // of its birth: call stack, or -1
    std::vector<std::int32_t> tag;   // of its birth: name, or -1
};

// Decodes the whole trace. Throws: TraceError, SystemError. Cost: some 60 bytes an object.
ObjectTable read_object_table(TraceReader& reader);

// The recorded program's own footprint, sample after sample.
struct FootprintTable {
    std::vector<std::uint64_t> event;
    std::vector<std::uint64_t> anonymous_bytes;
    std::vector<std::uint64_t> file_bytes;
    std::vector<std::uint64_t> page_faults;
};

// Decodes the whole trace. Throws: TraceError, SystemError.
FootprintTable read_footprint_table(TraceReader& reader);

} // namespace alloclab
