// SPDX-License-Identifier: MIT
//
// The constants of the sealed trace file. docs/trace-format.md is the specification; this header
// and that document change together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace alloclab::trace_format {

inline constexpr std::array<std::uint8_t, 8> file_magic{'a', 'l', 'l', 'o', 'c', 't', 'r', 0x1a};
inline constexpr std::array<std::uint8_t, 8> end_magic{'a', 'l', 'l', 'o', 'c', 'e', 'n', 0x1a};
inline constexpr std::uint32_t version = 2;
inline constexpr std::uint32_t oldest_version = 1; // without sites, tags and their tables
inline constexpr std::size_t header_bytes = 16;    // magic, version, zero
inline constexpr std::size_t trailer_bytes = 24;   // footer offset, footer bytes, end magic

inline constexpr std::uint32_t chunk_magic = 0x4b4e4843; // "CHNK"
inline constexpr std::size_t chunk_header_bytes = 16;    // magic, events, raw bytes, stored bytes

// What a reader may be asked to hold, whatever the file says.
inline constexpr std::size_t max_chunk_events = std::size_t{1} << 20;
inline constexpr std::size_t max_chunk_raw_bytes = std::size_t{1} << 26;
inline constexpr std::size_t max_footer_raw_bytes = std::size_t{1} << 30;

inline constexpr std::size_t default_chunk_events = std::size_t{1} << 18;
inline constexpr std::size_t events_per_time_stamp = 256;

// The columns of a chunk, in this order, each preceded by its length in bytes.
enum class Column : std::uint8_t {
    code,      // a byte an event
    size,      // varint, for events with a size
    object,    // zigzag varint: id less the successor of the last object named
    alignment, // a byte, log2, for events with an alignment
    value,     // varints, for events with values
    time,      // varint nanoseconds since the stamp before; one for every 256th event
    thread,    // pairs of varints: run length, thread
    site,      // varints, for events that may have one: 0 as predicted, else 1 + stack + 1, or 1
    tag,       // pairs of varints over the same events: run length, tag's name + 1 or 0
};
inline constexpr std::size_t column_count = 9;

// The parts of the footer, in this order, each preceded by its length in bytes.
enum class Part : std::uint8_t {
    summary,  // varints in the order of TraceSummary
    chunks,   // varints a chunk: offset delta, events, first object, first time
    touched,  // varints a row: event delta, pages, resident at birth + 1, at death + 1, flags
    names,    // length and UTF-8 bytes of each interned name
    metadata, // JSON, UTF-8
    stacks,   // a zigzag varint each: its innermost node less the one of the stack before
    nodes,    // varints a node: its own number less its parent's (0: none), frame
    frames,   // varints a frame: function + 1, file + 1, module + 1, line, offset, flags
};
inline constexpr std::size_t part_count = 8;

} // namespace alloclab::trace_format
