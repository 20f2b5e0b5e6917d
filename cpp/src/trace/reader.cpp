// SPDX-License-Identifier: MIT
#include <alloclab/trace/reader.hpp>

#include "byte_source.hpp"

#include <alloclab/base/bits.hpp>
#include <alloclab/base/error.hpp>

#include <cstring>

namespace alloclab {

namespace {

using namespace trace_format;

std::uint32_t get_u32(const std::uint8_t* from) {
    std::uint32_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

std::uint64_t get_u64(const std::uint8_t* from) {
    std::uint64_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// Walks varints and byte runs of one part of the footer.
struct PartCursor {
    const std::uint8_t* at;
    const std::uint8_t* end;
    const std::string& place;

    bool is_at_end() const { return at == end; }

    std::uint64_t number() {
        std::uint64_t value = 0;
        if (!read_varint(at, end, value)) {
            throw TraceError(place + ": the footer ends within a number");
        }
        return value;
    }

    std::span<const std::uint8_t> bytes() {
        const std::uint64_t count = number();
        if (count > static_cast<std::uint64_t>(end - at)) {
            throw TraceError(place + ": a part of the footer reaches beyond it");
        }
        const std::span<const std::uint8_t> result{at, static_cast<std::size_t>(count)};
        at += count;
        return result;
    }

    PartCursor part() {
        const auto inside = bytes();
        return {inside.data(), inside.data() + inside.size(), place};
    }
};

TraceSummary read_summary(PartCursor from) {
    std::uint64_t fields[summary_field_count]{};
    for (auto& field : fields) {
        if (from.is_at_end()) {
            break; // written by a version with fewer fields
        }
        field = from.number();
    }
    TraceSummary summary;
    std::memcpy(&summary, fields, sizeof summary);
    return summary;
}

std::vector<ChunkEntry> read_chunks(PartCursor from, std::uint64_t footer_offset) {
    std::vector<ChunkEntry> chunks;
    ChunkEntry entry;
    while (!from.is_at_end()) {
        entry.first_event += entry.events;
        entry.offset += from.number();
        entry.events = from.number();
        entry.first_object = from.number();
        entry.first_time_ns = from.number();
        if (entry.events == 0 || entry.events > max_chunk_events ||
            entry.first_object > entry.first_event || entry.offset < header_bytes ||
            entry.offset > footer_offset || footer_offset - entry.offset < chunk_header_bytes) {
            throw TraceError(from.place + ": the index entry of chunk " +
                             std::to_string(chunks.size()) + " is impossible");
        }
        chunks.push_back(entry);
    }
    return chunks;
}

std::vector<Touched> read_touched(PartCursor from, std::uint64_t events) {
    std::vector<Touched> rows;
    Touched row;
    while (!from.is_at_end()) {
        row.event += from.number();
        row.pages = from.number();
        row.resident_at_birth = from.number() - 1; // 0 becomes unknown
        row.resident_at_death = from.number() - 1;
        row.is_prefix = (from.number() & 1) != 0;
        const auto is_impossible = [&](std::uint64_t pages) {
            return pages != Touched::unknown && pages > row.pages;
        };
        if (row.event >= events || is_impossible(row.resident_at_birth) ||
            is_impossible(row.resident_at_death)) {
            throw TraceError(from.place + ": row " + std::to_string(rows.size()) +
                             " of the touched table is impossible");
        }
        rows.push_back(row);
    }
    return rows;
}

std::vector<std::string> read_names(PartCursor from) {
    std::vector<std::string> names;
    while (!from.is_at_end()) {
        const auto bytes = from.bytes();
        names.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return names;
}

[[noreturn]] void fail_at_row(const PartCursor& from, const char* table, std::size_t row) {
    throw TraceError(from.place + ": row " + std::to_string(row) + " of the " + table +
                     " is impossible");
}

std::vector<std::uint32_t> read_stacks(PartCursor from) {
    std::vector<std::uint32_t> stacks;
    std::uint64_t node = 0;
    while (!from.is_at_end()) {
        node += static_cast<std::uint64_t>(zigzag_decode(from.number()));
        if (node >= StackFrame::unknown) {
            fail_at_row(from, "call stacks", stacks.size());
        }
        stacks.push_back(static_cast<std::uint32_t>(node));
    }
    return stacks;
}

std::vector<StackTable::Node> read_nodes(PartCursor from) {
    std::vector<StackTable::Node> nodes;
    while (!from.is_at_end()) {
        const std::uint64_t number = nodes.size() + 1;
        const std::uint64_t distance = from.number();
        const std::uint64_t frame = from.number();
        if (distance >= number || frame >= StackFrame::unknown) {
            fail_at_row(from, "call tree", nodes.size());
        }
        nodes.push_back({static_cast<std::uint32_t>(distance == 0 ? 0 : number - distance),
                         static_cast<std::uint32_t>(frame)});
    }
    return nodes;
}

std::vector<StackFrame> read_frames(PartCursor from, std::uint64_t name_count) {
    std::vector<StackFrame> frames;
    const auto name = [&] {
        const std::uint64_t word = from.number();
        if (word > name_count) {
            fail_at_row(from, "frames", frames.size());
        }
        return static_cast<std::uint32_t>(word - 1); // 0 becomes unknown
    };
    while (!from.is_at_end()) {
        StackFrame frame;
        frame.function = name();
        frame.file = name();
        frame.module = name();
        frame.line = static_cast<std::uint32_t>(from.number());
        frame.offset = from.number();
        frame.is_inlined = (from.number() & 1) != 0;
        frames.push_back(frame);
    }
    return frames;
}

StackTable read_stack_table(PartCursor& parts, std::uint64_t name_count) {
    StackTable table;
    table.stacks = read_stacks(parts.part());
    table.nodes = read_nodes(parts.part());
    table.frames = read_frames(parts.part(), name_count);
    for (const std::uint32_t node : table.stacks) {
        if (node >= table.nodes.size()) {
            throw TraceError(parts.place + ": a call stack names a frame that does not exist");
        }
    }
    for (const StackTable::Node& node : table.nodes) {
        if (node.frame >= table.frames.size()) {
            throw TraceError(parts.place + ": the call tree names a frame that does not exist");
        }
    }
    return table;
}

} // namespace

struct TraceReader::Source : ByteSource {
    using ByteSource::ByteSource;
};

TraceReader::TraceReader(const std::filesystem::path& path)
    : source_(std::make_unique<Source>(path)) {
    open();
}

TraceReader::TraceReader(std::span<const std::uint8_t> bytes, std::string name)
    : source_(std::make_unique<Source>(bytes, std::move(name))) {
    open();
}

TraceReader::~TraceReader() = default;
TraceReader::TraceReader(TraceReader&&) noexcept = default;
TraceReader& TraceReader::operator=(TraceReader&&) noexcept = default;

const std::string& TraceReader::name() const {
    return source_->name();
}
std::uint64_t TraceReader::file_bytes() const {
    return source_->size();
}

void TraceReader::fail(std::uint64_t offset, const std::string& reason) const {
    throw TraceError(name() + ": offset " + std::to_string(offset) + ": " + reason);
}

void TraceReader::open() {
    const std::uint64_t size = source_->size();
    if (size < header_bytes) {
        fail(0, size == 0 ? "the file is empty" : "too short to be a trace");
    }
    const auto header = source_->read(0, header_bytes);
    if (std::memcmp(header.data(), file_magic.data(), file_magic.size()) != 0) {
        fail(0, "not an alloclab trace");
    }
    const std::uint32_t found = get_u32(header.data() + 8);
    if (found < oldest_version || found > version) {
        fail(8, "trace format version " + std::to_string(found) + "; this alloclab reads " +
                    std::to_string(oldest_version) + " to " + std::to_string(version));
    }
    if (size < header_bytes + trailer_bytes) {
        fail(size, "the trace is truncated: it has no footer");
    }
    const std::uint64_t trailer_offset = size - trailer_bytes;
    const auto trailer = source_->read(trailer_offset, trailer_bytes);
    if (std::memcmp(trailer.data() + 16, end_magic.data(), end_magic.size()) != 0) {
        fail(trailer_offset, "the trace is truncated: its end mark is missing");
    }
    const std::uint64_t footer_offset = get_u64(trailer.data());
    const std::uint64_t footer_bytes = get_u64(trailer.data() + 8);
    if (footer_offset < header_bytes || footer_offset > trailer_offset ||
        footer_bytes != trailer_offset - footer_offset) {
        fail(trailer_offset, "the footer's place is impossible");
    }
    parse_footer(source_->decompress(footer_offset, static_cast<std::size_t>(footer_bytes),
                                     max_footer_raw_bytes),
                 footer_offset, found);
}

void TraceReader::parse_footer(std::span<const std::uint8_t> raw, std::uint64_t footer_offset,
                               std::uint32_t format_version) {
    const std::string place = name() + ": offset " + std::to_string(footer_offset);
    PartCursor parts{raw.data(), raw.data() + raw.size(), place};
    summary_ = read_summary(parts.part());
    chunks_ = read_chunks(parts.part(), footer_offset);
    const std::uint64_t events =
        chunks_.empty() ? 0 : chunks_.back().first_event + chunks_.back().events;
    if (summary_.events != events || summary_.objects > events) {
        fail(footer_offset, "the summary's counts are not those of the chunks");
    }
    touched_ = read_touched(parts.part(), events);
    names_ = read_names(parts.part());
    const auto metadata = parts.bytes();
    metadata_json_.assign(reinterpret_cast<const char*>(metadata.data()), metadata.size());
    if (format_version >= 2) {
        stacks_ = read_stack_table(parts, names_.size());
    }
}

ChunkColumns TraceReader::read_chunk(std::size_t index) {
    const ChunkEntry& entry = chunks_[index];
    const auto header = source_->read(entry.offset, chunk_header_bytes);
    const std::uint32_t stored_bytes = get_u32(header.data() + 12);
    if (get_u32(header.data()) != chunk_magic || get_u32(header.data() + 4) != entry.events ||
        stored_bytes > source_->size() - entry.offset - chunk_header_bytes) {
        fail(entry.offset, "chunk " + std::to_string(index) + " has a header that cannot be");
    }
    const std::uint32_t raw_bytes = get_u32(header.data() + 8);
    const auto raw =
        source_->decompress(entry.offset + chunk_header_bytes, stored_bytes, max_chunk_raw_bytes);
    if (raw.size() != raw_bytes) {
        fail(entry.offset, "chunk " + std::to_string(index) + " is not as long as it says");
    }
    return {raw, entry.events, entry.first_object, entry.first_time_ns,
            name() + ": offset " + std::to_string(entry.offset)};
}

} // namespace alloclab
