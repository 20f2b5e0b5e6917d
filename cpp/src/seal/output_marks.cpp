// SPDX-License-Identifier: MIT
#include <alloclab/seal/output_marks.hpp>

namespace alloclab {

void OutputMarks::write(const OutputMark& mark) {
    RawEvent event;
    event.time_ns = mark.time_ns;
    if (mark.kind == "mark") {
        event.kind = RawKind::mark;
        return resolver_.append_named(event, "", mark.name);
    }
    const std::string kind = mark.kind == "scope" ? "phase" : mark.kind;
    if (const auto open = open_.find(kind); open != open_.end()) {
        event.kind = RawKind::scope_exit;
        event.value = open->second;
        resolver_.append(event);
    }
    event.kind = RawKind::scope_enter;
    event.value = open_[kind] = next_scope_++;
    resolver_.append_named(event, kind, mark.name);
}

} // namespace alloclab
