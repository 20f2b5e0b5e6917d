// SPDX-License-Identifier: MIT
#include <alloclab/trace/scopes.hpp>

#include <algorithm>
#include <limits>

namespace alloclab {

namespace {

constexpr auto code_of(EventKind kind) {
    return static_cast<std::uint8_t>(kind);
}

void check_names(const ChunkColumns& chunk, std::uint64_t index, const Event& event,
                 std::uint64_t name_count) {
    const bool is_mark = event.code == code_of(EventKind::mark);
    if (event.values[is_mark ? 0 : 1] >= name_count || (!is_mark && event.values[2] >= name_count))
        chunk.fail(index, "names a name that does not exist");
}

// Where an event stands.
struct Place {
    const ChunkColumns& chunk;
    const std::vector<std::uint64_t>& stamps;
    std::uint64_t first_event; // of the chunk
    std::uint64_t row;         // within the chunk

    std::uint64_t event() const { return first_event + row; }
    std::uint64_t time_ns() const { return interpolated_ns(stamps, row); }
};

// Calls `visitor(event, place)` for each event of the trace.
template <class Visitor> void walk(TraceReader& reader, Visitor&& visitor) {
    for (std::size_t chunk_idx = 0; chunk_idx < reader.chunks().size(); ++chunk_idx) {
        const ChunkColumns chunk = reader.read_chunk(chunk_idx);
        const std::vector<std::uint64_t> stamps = chunk.time_stamps_ns();
        std::uint64_t row = 0;
        chunk.visit([&](const Event& event) {
            visitor(event, Place{chunk, stamps, reader.chunks()[chunk_idx].first_event, row++});
        });
    }
}

} // namespace

std::int32_t OpenScopes::look_up(std::uint32_t thread) const {
    const auto found = of_thread_.find(thread);
    last_thread_ = thread;
    last_innermost_ =
        found == of_thread_.end() || found->second.empty() ? none : found->second.back();
    return last_innermost_;
}

std::int32_t OpenScopes::apply(const Event& event) {
    std::int32_t scope = none;
    if (event.code == code_of(EventKind::scope_enter)) {
        if (count_ == std::numeric_limits<std::int32_t>::max())
            return none; // more than any table takes
        scope = count_++;
        by_instance_[event.values[0]] = {scope, event.thread};
        of_thread_[event.thread].push_back(scope);
    } else if (const auto found = by_instance_.find(event.values[0]); found != by_instance_.end()) {
        scope = found->second.scope;
        std::vector<std::int32_t>& open = of_thread_[found->second.thread];
        const auto at = std::find(open.rbegin(), open.rend(), scope);
        if (at != open.rend())
            open.erase(std::next(at).base());
        by_instance_.erase(found);
    }
    look_up(event.thread);
    return scope;
}

ScopeTable read_scope_table(TraceReader& reader) {
    ScopeTable table;
    OpenScopes open;
    walk(reader, [&](const Event& event, const Place& place) {
        const bool is_enter = event.code == code_of(EventKind::scope_enter);
        if (!is_enter && event.code != code_of(EventKind::scope_exit))
            return;
        const std::int32_t parent = open.innermost(event.thread);
        const std::int32_t scope = open.apply(event);
        if (scope == OpenScopes::none)
            return;
        if (is_enter) {
            check_names(place.chunk, place.row, event, reader.names().size());
            table.instance.push_back(event.values[0]);
            table.kind.push_back(event.values[1]);
            table.name.push_back(event.values[2]);
            table.thread.push_back(event.thread);
            table.parent.push_back(parent);
            table.enter.push_back(static_cast<std::int64_t>(place.event()));
            table.exit.push_back(ScopeTable::open);
            table.enter_time_ns.push_back(place.time_ns());
            table.exit_time_ns.push_back(reader.summary().duration_ns);
        } else {
            const auto row = static_cast<std::size_t>(scope);
            table.exit[row] = static_cast<std::int64_t>(place.event());
            table.exit_time_ns[row] = place.time_ns();
        }
    });
    return table;
}

MarkTable read_mark_table(TraceReader& reader) {
    MarkTable table;
    walk(reader, [&](const Event& event, const Place& place) {
        if (event.code != code_of(EventKind::mark))
            return;
        check_names(place.chunk, place.row, event, reader.names().size());
        table.event.push_back(place.event());
        table.name.push_back(event.values[0]);
        table.thread.push_back(event.thread);
        table.time_ns.push_back(place.time_ns());
    });
    return table;
}

} // namespace alloclab
