// SPDX-License-Identifier: MIT
//
// The resolver's part for what the program said of itself: scopes, tags, marks, references.
#include <alloclab/seal/resolver.hpp>

namespace alloclab {

namespace {

Event event_by(EventKind kind, const RawEvent& event) {
    return {.code = static_cast<std::uint8_t>(kind), .thread = event.thread};
}

} // namespace

void Resolver::append_marker(const RawEvent& event) {
    switch (event.kind) {
    case RawKind::mark:
        return mark(event, names_.index_of(event.name));
    case RawKind::name:
        return names_.append(event.name, {reinterpret_cast<const char*>(event.text),
                                          static_cast<std::size_t>(event.size)});
    case RawKind::scope_enter:
        return enter_scope(event, names_.index_of(event.kind_name), names_.index_of(event.name));
    case RawKind::scope_exit:
        return exit_scope(event);
    case RawKind::tag:
        return set_tag(event);
    case RawKind::reset:
        return reset(event);
    case RawKind::transfer:
        return transfer(event);
    case RawKind::reference:
        return reference(event);
    case RawKind::root_push:
        return change_roots(EventKind::root_push, event);
    case RawKind::root_pop:
        return change_roots(EventKind::root_pop, event);
    case RawKind::root_set:
        return change_roots(EventKind::root_set, event);
    case RawKind::frame:
        return stacks_.add_frame(event.thread, event.value, event.address);
    case RawKind::module_mapped:
        return stacks_.map_module(event.address, event.size, event.old_address,
                                  std::string(names_.text_of(event.name)),
                                  std::string(names_.text_of(event.kind_name)));
    case RawKind::module_gone:
        return stacks_.unmap_module(event.address);
    default:
        return;
    }
}

void Resolver::append_named(const RawEvent& event, std::string_view kind, std::string_view name) {
    if (event.kind == RawKind::mark) {
        mark(event, writer_.intern(name));
    } else {
        enter_scope(event, writer_.intern(kind), writer_.intern(name));
    }
}

void Resolver::mark(const RawEvent& event, std::uint64_t name) {
    Event out = event_by(EventKind::mark, event);
    out.values[0] = name;
    write(out, event.time_ns);
    ++summary_.marks;
}

void Resolver::enter_scope(const RawEvent& event, std::uint64_t kind, std::uint64_t name) {
    const std::uint64_t instance = summary_.scopes++;
    open_scopes_[event.value] = {instance, event.thread};
    Event out = event_by(EventKind::scope_enter, event);
    out.values[0] = instance;
    out.values[1] = kind;
    out.values[2] = name;
    write(out, event.time_ns);
}

void Resolver::exit_scope(const RawEvent& event) {
    const auto open = open_scopes_.find(event.value);
    if (open == open_scopes_.end()) { // closed before, or entered unseen
        ++summary_.unmatched_scope_exits;
        return;
    }
    summary_.cross_thread_scope_exits += open->second.thread != event.thread;
    Event out = event_by(EventKind::scope_exit, event);
    out.values[0] = open->second.instance;
    open_scopes_.erase(open);
    write(out, event.time_ns);
}

void Resolver::reset(const RawEvent& event) {
    const auto scope = open_scopes_.find(event.value);
    if (scope == open_scopes_.end()) {
        ++summary_.unresolved_references;
        return;
    }
    Event out = event_by(EventKind::reset, event);
    out.values[0] = scope->second.instance;
    write(out, event.time_ns);
}

// Of a live block, to an open scope or, by 0, to none.
void Resolver::transfer(const RawEvent& event) {
    const auto scope = open_scopes_.find(event.value);
    const bool has_target = event.value == 0 || scope != open_scopes_.end();
    std::uint64_t object_plus_one = 0;
    if (event.address == 0 || !has_target || !find_object(event.address, object_plus_one)) {
        ++summary_.unresolved_references;
        return;
    }
    Event out = event_by(EventKind::transfer, event);
    out.object = object_plus_one - 1;
    out.values[0] = event.value == 0 ? no_scope : scope->second.instance;
    write(out, event.time_ns);
}

void Resolver::set_tag(const RawEvent& event) {
    if (event.thread >= max_threads) {
        return;
    }
    if (event.thread >= tags_.size()) {
        tags_.resize(event.thread + std::size_t{1});
    }
    tags_[event.thread] =
        event.name == 0 ? 0 : static_cast<std::uint32_t>(names_.index_of(event.name - 1) + 1);
}

// The block at `address`, which may be null: then the object is none, 0.
bool Resolver::find_object(std::uint64_t address, std::uint64_t& object_plus_one) {
    if (address == 0) {
        object_plus_one = 0;
        return true;
    }
    const LiveBlock* const block = blocks_.find(address);
    object_plus_one = block != nullptr ? block->object + 1 : 0;
    return block != nullptr;
}

void Resolver::reference(const RawEvent& event) {
    std::uint64_t holder = 0;
    std::uint64_t target = 0;
    if (event.address == 0 || !find_object(event.address, holder) ||
        !find_object(event.old_address, target)) {
        ++summary_.unresolved_references;
        return;
    }
    Event out = event_by(EventKind::reference, event);
    out.object = holder - 1;
    out.values[0] = event.value;
    out.values[1] = target;
    write(out, event.time_ns);
    ++summary_.references;
}

void Resolver::change_roots(EventKind kind, const RawEvent& event) {
    std::uint64_t object_plus_one = 0;
    if (kind != EventKind::root_pop && !find_object(event.address, object_plus_one)) {
        ++summary_.unresolved_references; // the stack of roots keeps its height: null in its place
    }
    Event out = event_by(kind, event);
    if (kind == EventKind::root_push) {
        out.values[0] = object_plus_one;
    } else {
        out.values[0] = event.value;
        out.values[1] = object_plus_one;
    }
    write(out, event.time_ns);
    ++summary_.root_changes;
}

} // namespace alloclab
