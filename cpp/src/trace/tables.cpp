// SPDX-License-Identifier: MIT
#include <alloclab/trace/tables.hpp>

#include <alloclab/trace/scopes.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace alloclab {

namespace {

std::uint64_t alignment_of(const Event& event) {
    return event.alignment_log2 == 0 ? 0 : std::uint64_t{1} << event.alignment_log2;
}

bool is_code(const Event& event, EventKind kind) {
    return event.code == static_cast<std::uint8_t>(kind);
}

// Gives each event of a chunk the site and the tag that stand in columns of their own.
class SiteWalk {
public:
    SiteWalk(const ChunkColumns& chunk, const TraceReader& reader)
        : sites_(chunk.sites(reader.stacks().stacks.size())),
          tags_(chunk.tags(reader.names().size())) {}

    // Call with each event in order. Returns the numbers plus one; 0: none.
    std::pair<std::uint32_t, std::uint32_t> next(const Event& event) {
        if (!has_site(event.code)) {
            return {0, 0};
        }
        const std::size_t at = at_++;
        return {at < sites_.size() ? sites_[at] : 0, at < tags_.size() ? tags_[at] : 0};
    }

private:
    std::vector<std::uint32_t> sites_;
    std::vector<std::uint32_t> tags_;
    std::size_t at_ = 0;
};

} // namespace

EventColumns read_event_columns(TraceReader& reader, std::size_t index) {
    const ChunkColumns chunk = reader.read_chunk(index);
    const std::vector<std::uint64_t> stamps = chunk.time_stamps_ns();
    const std::size_t rows = chunk.events();
    EventColumns columns;
    columns.kind.resize(rows);
    columns.call.resize(rows);
    columns.thread.resize(rows);
    columns.object.resize(rows);
    columns.size.resize(rows);
    columns.alignment.resize(rows);
    columns.time_ns.resize(rows);
    columns.value.resize(rows * 3);
    columns.site.resize(rows);
    columns.tag.resize(rows);
    SiteWalk sites(chunk, reader);
    std::size_t row = 0;
    chunk.visit([&](const Event& event) {
        columns.kind[row] = static_cast<std::uint8_t>(kind_of(event.code));
        columns.call[row] = event.code < 0x20 ? event.code & 0x0f : 0;
        columns.thread[row] = event.thread;
        columns.object[row] = event.object;
        columns.size[row] = event.size;
        columns.alignment[row] = alignment_of(event);
        columns.time_ns[row] = interpolated_ns(stamps, row);
        std::tie(columns.site[row], columns.tag[row]) = sites.next(event);
        std::copy_n(event.values, 3, columns.value.begin() + static_cast<std::ptrdiff_t>(row * 3));
        ++row;
    });
    return columns;
}

CallColumns read_call_columns(TraceReader& reader, std::size_t index) {
    const ChunkColumns chunk = reader.read_chunk(index);
    const std::size_t rows = chunk.events();
    CallColumns columns;
    columns.kind.resize(rows);
    columns.object.resize(rows);
    columns.size.resize(rows);
    columns.alignment.resize(rows);
    std::size_t row = 0;
    chunk.visit([&](const Event& event) {
        columns.kind[row] = static_cast<std::uint8_t>(kind_of(event.code));
        columns.object[row] = event.object;
        columns.size[row] = event.size;
        columns.alignment[row] = alignment_of(event);
        ++row;
    });
    return columns;
}

ObjectTable read_object_table(TraceReader& reader) {
    ObjectTable table;
    std::vector<std::uint64_t> size_now; // what a split divides
    OpenScopes scopes;
    std::int64_t index = 0;
    const auto add = [&](const Event& event, std::uint64_t size, bool is_region,
                         std::pair<std::uint32_t, std::uint32_t> site_and_tag) {
        table.scope.push_back(scopes.innermost(event.thread));
        table.site.push_back(static_cast<std::int32_t>(site_and_tag.first) - 1);
        table.tag.push_back(static_cast<std::int32_t>(site_and_tag.second) - 1);
        size_now.push_back(size);
        table.size.push_back(size);
        table.max_size.push_back(size);
        table.birth.push_back(index);
        table.death.push_back(ObjectTable::alive);
        table.birth_thread.push_back(event.thread);
        table.death_thread.push_back(0);
        table.reallocations.push_back(0);
        table.is_region.push_back(is_region);
    };
    for (std::size_t chunk_index = 0; chunk_index < reader.chunks().size(); ++chunk_index) {
        const ChunkColumns chunk = reader.read_chunk(chunk_index);
        SiteWalk sites(chunk, reader);
        chunk.visit([&](const Event& event) {
            const Operands operands = operands_of(event.code);
            const auto site_and_tag = sites.next(event);
            if (is_code(event, EventKind::scope_enter) || is_code(event, EventKind::scope_exit)) {
                scopes.apply(event);
            }
            if (operands.object && event.object >= table.size.size()) {
                chunk.fail(static_cast<std::uint64_t>(index), "names an object out of order");
            }
            if (operands.creates_object) {
                std::uint64_t size = event.size;
                if (is_code(event, EventKind::split)) {
                    const std::uint64_t whole = std::exchange(size_now[event.object], event.size);
                    size = whole > event.size ? whole - event.size : 0;
                }
                add(event, size, event.code >= 0x30, site_and_tag);
            } else if (operands.ends_object) {
                table.death[event.object] = index;
                table.death_thread[event.object] = event.thread;
            } else if (is_code(event, EventKind::reallocate) || is_code(event, EventKind::remap)) {
                ++table.reallocations[event.object];
                size_now[event.object] = event.size;
                table.max_size[event.object] = std::max(table.max_size[event.object], event.size);
            }
            ++index;
        });
    }
    return table;
}

FootprintTable read_footprint_table(TraceReader& reader) {
    FootprintTable table;
    std::uint64_t index = 0;
    for (std::size_t chunk_index = 0; chunk_index < reader.chunks().size(); ++chunk_index) {
        reader.read_chunk(chunk_index).visit([&](const Event& event) {
            if (is_code(event, EventKind::footprint)) {
                table.event.push_back(index);
                table.anonymous_bytes.push_back(event.values[0]);
                table.file_bytes.push_back(event.values[1]);
                table.page_faults.push_back(event.values[2]);
            }
            ++index;
        });
    }
    return table;
}

} // namespace alloclab
