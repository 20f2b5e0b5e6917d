// SPDX-License-Identifier: MIT
#include <alloclab/trace/builder.hpp>

#include <alloclab/base/error.hpp>

#include <algorithm>

// The tables that a builder takes whole: what readers would refuse in them is refused here.
namespace alloclab {

namespace {

bool names_something(const StackTable& table, std::size_t names) {
    const auto is_name = [names](std::uint32_t name) {
        return name == StackFrame::unknown || name < names;
    };
    for (std::size_t node = 0; node < table.nodes.size(); ++node) {
        if (table.nodes[node].parent > node || table.nodes[node].frame >= table.frames.size()) {
            return false;
        }
    }
    return std::all_of(table.stacks.begin(), table.stacks.end(),
                       [&](std::uint32_t node) { return node < table.nodes.size(); }) &&
           std::all_of(table.frames.begin(), table.frames.end(), [&](const StackFrame& frame) {
               return is_name(frame.function) && is_name(frame.file) && is_name(frame.module);
           });
}

bool is_impossible(std::uint64_t resident_pages, const Touched& row) {
    return resident_pages != Touched::unknown && resident_pages > row.pages;
}

} // namespace

void TraceBuilder::set_stacks(StackTable stacks) {
    if (!names_something(stacks, writer_.names())) {
        throw Error("call stacks: a stack, a frame or a name does not exist");
    }
    summary_.sites = stacks.stacks.size();
    writer_.set_stacks(std::move(stacks));
}

void TraceBuilder::set_touched(std::vector<Touched> rows) {
    std::uint64_t before = 0;
    for (const Touched& row : rows) {
        if (row.event < before) {
            throw Error("touched rows: event " + std::to_string(row.event) + " after " +
                        std::to_string(before));
        }
        if (is_impossible(row.resident_at_birth, row) ||
            is_impossible(row.resident_at_death, row)) {
            throw Error("touched rows: event " + std::to_string(row.event) +
                        " has more pages resident than it has");
        }
        before = row.event;
    }
    touched_events_ = rows.empty() ? 0 : before + 1;
    summary_.has_touched = !rows.empty();
    writer_.set_touched(std::move(rows));
}

} // namespace alloclab
