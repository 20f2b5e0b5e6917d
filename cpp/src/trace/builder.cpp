// SPDX-License-Identifier: MIT
#include <alloclab/trace/builder.hpp>

#include <alloclab/base/error.hpp>

#include <algorithm>

namespace alloclab {

namespace {

constexpr std::uint32_t max_threads = 1u << 20; // readers size tables by them
constexpr std::uint8_t max_alignment_log2 = 47;
constexpr std::uint64_t max_size = std::uint64_t{1} << 62;
constexpr std::uint64_t max_total = std::uint64_t{1} << 63; // readers sum sizes as signed numbers

} // namespace

void TraceBuilder::fail(const std::string& reason) const {
    throw TraceError("event " + std::to_string(events()) + ": " + reason);
}

std::uint64_t TraceBuilder::append(const Event& event, std::uint64_t time_ns) {
    check(event);
    time_ns_ = std::max(time_ns_, time_ns);
    count(event);
    return writer_.append(event, time_ns_);
}

void TraceBuilder::check(const Event& event) const {
    const Operands operands = operands_of(event.code);
    if (!operands.is_known) {
        fail("no event has the code " + std::to_string(event.code));
    }
    if (event.thread >= max_threads) {
        fail("thread " + std::to_string(event.thread) + " is one too many");
    }
    if (operands.size && event.size >= max_size) {
        fail("a size of " + std::to_string(event.size) + " bytes is impossible");
    }
    if (operands.alignment && event.alignment_log2 > max_alignment_log2) {
        fail("an alignment of 2^" + std::to_string(event.alignment_log2) + " is impossible");
    }
    if (has_site(event.code) && event.tag > writer_.names()) {
        fail("there is no name " + std::to_string(event.tag) + " for a tag");
    }
    check_operands(event);
    check_values(event);
    check_totals(event);
}

void TraceBuilder::check_alive(std::uint64_t object, State state) const {
    if (object >= objects_.size()) {
        fail("object " + std::to_string(object) + " does not exist");
    }
    const State is = objects_[object].state;
    if (is == State::ended) {
        fail("object " + std::to_string(object) + " has ended before");
    }
    if (is != state) {
        fail("object " + std::to_string(object) +
             (is == State::block ? " is a block, no region" : " is a region, no block"));
    }
}

void TraceBuilder::check_operands(const Event& event) const {
    switch (kind_of(event.code)) {
    case EventKind::free:
    case EventKind::reallocate:
    case EventKind::reallocate_failed:
    case EventKind::reallocate_zero:
    case EventKind::transfer:
    case EventKind::reference:
        return check_alive(event.object, State::block);
    case EventKind::unmap:
    case EventKind::remap:
        return check_alive(event.object, State::region);
    case EventKind::split:
    case EventKind::discard: {
        check_alive(event.object, State::region);
        const std::uint64_t whole = objects_[event.object].size;
        const std::uint64_t offset =
            kind_of(event.code) == EventKind::discard ? event.values[0] : std::uint64_t{1};
        if (event.size == 0 || offset > whole || event.size > whole - offset) {
            fail("object " + std::to_string(event.object) + " has no such part");
        }
        return;
    }
    default:
        return;
    }
}

void TraceBuilder::check_live_block_or_null(std::uint64_t object_plus_one) const {
    if (object_plus_one != 0) {
        check_alive(object_plus_one - 1, State::block);
    }
}

void TraceBuilder::check_values(const Event& event) const {
    const auto check_name = [this](std::uint64_t name) {
        if (name >= writer_.names()) {
            fail("there is no name " + std::to_string(name));
        }
    };
    const auto check_scope = [this](std::uint64_t instance) {
        if (instance >= scopes_.size() || !scopes_[instance].is_open) {
            fail("scope " + std::to_string(instance) + " is not open");
        }
    };
    switch (kind_of(event.code)) {
    case EventKind::scope_enter:
        if (event.values[0] != scopes_.size()) {
            fail("the next scope is " + std::to_string(scopes_.size()) + ", not " +
                 std::to_string(event.values[0]));
        }
        check_name(event.values[1]);
        return check_name(event.values[2]);
    case EventKind::scope_exit:
    case EventKind::reset:
        return check_scope(event.values[0]);
    case EventKind::transfer:
        return event.values[0] == no_scope ? void() : check_scope(event.values[0]);
    case EventKind::mark:
        return check_name(event.values[0]);
    case EventKind::reference:
    case EventKind::root_set:
        return check_live_block_or_null(event.values[1]);
    case EventKind::root_push:
        return check_live_block_or_null(event.values[0]);
    default:
        return;
    }
}

void TraceBuilder::check_totals(const Event& event) const {
    std::uint64_t before = 0;
    switch (kind_of(event.code)) {
    case EventKind::allocate:
    case EventKind::reallocate:
        before = summary_.requested_total_bytes;
        break;
    case EventKind::map:
    case EventKind::map_reserved:
        before = mapped_live_bytes_;
        break;
    case EventKind::remap:
        before = mapped_live_bytes_ - objects_[event.object].size;
        break;
    default:
        return;
    }
    if (event.size >= max_total - before) {
        fail("with " + std::to_string(event.size) + " bytes more all sizes are too much together");
    }
}

void TraceBuilder::begin(const Event& event, State state) {
    objects_.push_back({event.size, event.thread, state});
    ++live_objects_;
    summary_.max_live_objects = std::max(summary_.max_live_objects, live_objects_);
}

void TraceBuilder::grow_requested(std::uint64_t bytes) {
    requested_live_bytes_ += bytes;
    summary_.requested_total_bytes += bytes;
    if (requested_live_bytes_ > summary_.peak_requested_live_bytes) {
        summary_.peak_requested_live_bytes = requested_live_bytes_;
        summary_.peak_requested_event = events();
    }
}

void TraceBuilder::resize_mapped(std::uint64_t from, std::uint64_t to) {
    mapped_live_bytes_ += to - from;
    summary_.peak_mapped_live_bytes = std::max(summary_.peak_mapped_live_bytes, mapped_live_bytes_);
}

void TraceBuilder::count(const Event& event) {
    summary_.threads = std::max<std::uint64_t>(summary_.threads, std::uint64_t{event.thread} + 1);
    if (has_site(event.code)) {
        highest_site_ = std::max(highest_site_, event.site);
        summary_.sited_calls += event.site != 0;
        summary_.tagged_calls += event.tag != 0;
    }
    switch (kind_of(event.code)) {
    case EventKind::allocate:
        begin(event, State::block);
        ++summary_.allocations;
        summary_.zero_size_allocations += event.size == 0;
        summary_.aligned_allocations += call_has_alignment(event.code);
        return grow_requested(event.size);
    case EventKind::reallocate:
        ++summary_.reallocations;
        requested_live_bytes_ -= objects_[event.object].size;
        objects_[event.object].size = event.size;
        return grow_requested(event.size);
    case EventKind::allocate_failed:
    case EventKind::reallocate_failed:
        ++summary_.failed_calls;
        return;
    case EventKind::map:
    case EventKind::map_reserved:
        begin(event, State::region);
        ++summary_.maps;
        return resize_mapped(0, event.size);
    case EventKind::remap:
        resize_mapped(objects_[event.object].size, event.size);
        objects_[event.object].size = event.size;
        return;
    case EventKind::split: {
        Event upper = event;
        upper.size = objects_[event.object].size - event.size;
        objects_[event.object].size = event.size;
        return begin(upper, State::region);
    }
    default:
        return operands_of(event.code).ends_object ? count_end(event) : count_marker(event);
    }
}

void TraceBuilder::count_end(const Event& event) {
    Object& object = objects_[event.object];
    if (object.state == State::region) {
        mapped_live_bytes_ -= object.size;
        ++summary_.unmaps;
    } else {
        requested_live_bytes_ -= object.size;
        summary_.cross_thread_frees += object.thread != event.thread;
        ++summary_.frees;
    }
    object.state = State::ended;
    --live_objects_;
}

void TraceBuilder::count_marker(const Event& event) {
    switch (kind_of(event.code)) {
    case EventKind::free_null:
        ++summary_.null_frees;
        return;
    case EventKind::scope_enter:
        scopes_.push_back({event.thread});
        ++summary_.scopes;
        ++open_scopes_;
        return;
    case EventKind::scope_exit:
        scopes_[event.values[0]].is_open = false;
        summary_.cross_thread_scope_exits += scopes_[event.values[0]].thread != event.thread;
        --open_scopes_;
        return;
    case EventKind::mark:
        ++summary_.marks;
        return;
    case EventKind::reference:
        ++summary_.references;
        return;
    case EventKind::root_push:
    case EventKind::root_pop:
    case EventKind::root_set:
        ++summary_.root_changes;
        return;
    default:
        return;
    }
}

TraceSummary TraceBuilder::finish(const Doubts& doubts, std::string_view metadata_json) {
    if (highest_site_ > summary_.sites) {
        throw TraceError("an event names call stack " + std::to_string(highest_site_) + " of " +
                         std::to_string(summary_.sites));
    }
    if (touched_events_ > events()) {
        throw TraceError("a touched row names event " + std::to_string(touched_events_ - 1) +
                         " of " + std::to_string(events()));
    }
    summary_.lost_events = doubts.lost_events;
    summary_.unknown_frees = doubts.unknown_frees;
    summary_.missed_frees = doubts.missed_frees;
    summary_.inversions = doubts.inversions;
    summary_.unresolved_references = doubts.unresolved_references;
    summary_.is_complete = doubts.is_complete;
    summary_.open_scopes_at_end = open_scopes_;
    summary_.live_objects_at_end = live_objects_;
    summary_.requested_live_bytes_at_end = requested_live_bytes_;
    summary_.duration_ns = time_ns_;
    writer_.finish(summary_, metadata_json);
    summary_.events = writer_.events();
    summary_.objects = writer_.objects();
    return summary_;
}

} // namespace alloclab
