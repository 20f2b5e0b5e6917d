// SPDX-License-Identifier: MIT
#include <alloclab/record/marks.hpp>

#include <alloclab/record/edges.hpp>
#include <alloclab/record/names.hpp>
#include <alloclab/record/process.hpp>

namespace alloclab::record {

using namespace capture;

namespace {

struct OpenScope {
    std::uint64_t scope;
    std::uint32_t kind; // numbers of names
    std::uint32_t name;
    bool ends_epoch; // its end is the end of an epoch of edges
};

struct Boundary {
    std::uint64_t scope; // open, or 0
    std::uint32_t kind;
};

constexpr std::uint32_t kept_scopes = 32;
constexpr std::uint32_t kept_boundaries = 8;

// Invariant: the scopes' numbers grow from the first to the last kept one.
struct ThreadMarks {
    OpenScope scopes[kept_scopes]; // as far as they are kept: to be told again after a fork
    Boundary boundaries[kept_boundaries];
    std::uint32_t scope_count;
    std::uint32_t boundary_count;
    std::uint64_t tag;        // number of its name plus one, 0: none
    std::uint32_t generation; // of the process whose names these are, if is_inherited
    bool is_inherited;
};

__thread ThreadMarks marks;
std::uint64_t last_scope; // of the process

// The handler of a signal leaves the list as it found it; whatever it interrupts here, too.
void keep(const OpenScope& scope) {
    const std::uint32_t place = marks.scope_count;
    if (place == kept_scopes)
        return;
    marks.scope_count = place + 1;
    compiler_barrier();
    marks.scopes[place] = scope;
}

// A scope that is not among the kept ones is either deeper than these or another thread's.
void leave(std::uint64_t scope) {
    for (std::uint32_t place = marks.scope_count; place > 0; --place) {
        const OpenScope& candidate = marks.scopes[place - 1];
        if (candidate.scope < scope)
            return;
        if (candidate.scope > scope)
            continue;
        for (; place < marks.scope_count; ++place)
            marks.scopes[place - 1] = marks.scopes[place];
        compiler_barrier();
        --marks.scope_count;
        return;
    }
}

// Of a scope of this thread, as far as it is kept.
bool ends_epoch(std::uint64_t scope) {
    for (std::uint32_t place = marks.scope_count; place > 0; --place)
        if (marks.scopes[place - 1].scope == scope)
            return marks.scopes[place - 1].ends_epoch;
    return false;
}

bool append(LaneHold& hold, const EventBytes& event) {
    if (!hold.make_room(event.count()))
        return false;
    hold.append(event);
    return true;
}

bool append_enter(LaneHold& hold, const OpenScope& scope) {
    return append(hold,
                  EventBytes(Code::scope_enter).put(scope.scope).put(scope.kind).put(scope.name));
}

std::uint64_t enter(LaneHold& hold, std::uint32_t kind, const char* name, bool ends_epoch) {
    const std::uint32_t name_id = intern_name(hold, name);
    if (kind == no_name || name_id == no_name)
        return 0;
    const OpenScope scope{__atomic_add_fetch(&last_scope, 1, __ATOMIC_RELAXED), kind, name_id,
                          ends_epoch};
    if (!append_enter(hold, scope))
        return 0;
    keep(scope);
    return scope.scope;
}

void exit(LaneHold& hold, std::uint64_t scope) {
    leave(scope);
    append(hold, EventBytes(Code::scope_exit).put(scope));
}

// The thread's boundary of a kind, with no scope open when it is new.
Boundary& boundary_of(LaneHold& hold, std::uint32_t kind) {
    for (std::uint32_t place = 0; place < marks.boundary_count; ++place)
        if (marks.boundaries[place].kind == kind)
            return marks.boundaries[place];
    const bool is_full = marks.boundary_count == kept_boundaries;
    Boundary& boundary = marks.boundaries[is_full ? kept_boundaries - 1 : marks.boundary_count++];
    if (is_full && boundary.scope != 0)
        exit(hold, boundary.scope);
    boundary = {0, kind};
    return boundary;
}

void append_tag(LaneHold& hold, std::uint64_t tag) {
    if (append(hold, EventBytes(Code::tag).put(tag)))
        marks.tag = tag;
}

// What the program keeps of a tag, so that a forked child too can restore it.
constexpr unsigned tag_bits = 32;
std::uint64_t tag_handle() {
    return marks.tag == 0 ? 0 : std::uint64_t{process.generation} << tag_bits | marks.tag;
}

// The tag behind a handle in this capture, 0 when there is none such.
std::uint64_t tag_of(LaneHold& hold, std::uint64_t handle) {
    const auto generation = static_cast<std::uint32_t>(handle >> tag_bits);
    const auto tag = static_cast<std::uint32_t>(handle);
    if (tag == 0 || tag > most_names || generation == process.generation)
        return tag > most_names ? 0 : tag;
    const std::uint32_t id = inherit_name(hold, generation, tag - 1);
    return id == no_name ? 0 : std::uint64_t{id} + 1;
}

} // namespace

std::uint64_t enter_scope(const char* kind, const char* name) {
    LaneHold hold;
    return hold ? enter(hold, intern_name(hold, kind), name, is_epoch_kind(kind)) : 0;
}

void exit_scope(std::uint64_t scope) {
    if (scope == 0)
        return;
    if (has_edges() && ends_epoch(scope))
        record_edges();
    LaneHold hold;
    if (hold)
        exit(hold, scope);
    else
        leave(scope);
}

std::uint64_t pass_boundary(const char* kind, const char* name) {
    const bool is_epoch = is_epoch_kind(kind);
    if (is_epoch)
        record_edges();
    LaneHold hold;
    if (!hold)
        return 0;
    const std::uint32_t kind_id = intern_name(hold, kind);
    if (kind_id == no_name)
        return 0;
    Boundary& boundary = boundary_of(hold, kind_id);
    if (boundary.scope != 0)
        exit(hold, boundary.scope);
    boundary.scope = enter(hold, kind_id, name, is_epoch);
    return boundary.scope;
}

void record_mark(const char* name) {
    LaneHold hold;
    if (!hold)
        return;
    if (const std::uint32_t id = intern_name(hold, name); id != no_name)
        append(hold, EventBytes(Code::mark).put(id));
}

std::uint64_t set_tag(const char* name) {
    LaneHold hold;
    if (!hold)
        return 0;
    const std::uint64_t before = tag_handle();
    const std::uint32_t id = name == nullptr ? no_name : intern_name(hold, name);
    const std::uint64_t tag = id == no_name ? 0 : std::uint64_t{id} + 1;
    if (tag != marks.tag)
        append_tag(hold, tag);
    return before;
}

void restore_tag(std::uint64_t before) {
    LaneHold hold;
    if (!hold)
        return;
    if (const std::uint64_t tag = tag_of(hold, before); tag != marks.tag)
        append_tag(hold, tag);
}

void record_reset(std::uint64_t scope) {
    LaneHold hold;
    if (!hold)
        return;
    if (scope == 0 && marks.scope_count != 0)
        scope = marks.scopes[marks.scope_count - 1].scope;
    if (scope != 0)
        append(hold, EventBytes(Code::reset).put(scope));
}

void record_transfer(const void* p, std::uint64_t scope) {
    append_event(EventBytes(Code::transfer).put(p).put(scope));
}

void record_reference(const void* holder, std::uint64_t slot, const void* target) {
    append_event(EventBytes(Code::reference).put(holder).put(slot).put(target));
}

void record_root_push(const void* p) {
    append_event(EventBytes(Code::root).put(std::uint64_t(RootChange::push)).put(p));
}

void record_root_pop(std::uint64_t count) {
    append_event(EventBytes(Code::root).put(std::uint64_t(RootChange::pop)).put(count));
}

void record_root_set(std::uint64_t index, const void* p) {
    append_event(EventBytes(Code::root).put(std::uint64_t(RootChange::set)).put(index).put(p));
}

void forget_marks() {
    marks = ThreadMarks{};
}

void inherit_marks() {
    if (marks.is_inherited)
        return; // from further back: no event since
    marks.is_inherited = marks.scope_count != 0 || marks.boundary_count != 0 || marks.tag != 0;
    marks.generation = process.generation - 1;
}

bool has_inherited_marks() {
    return marks.is_inherited;
}

void tell_inherited_marks(LaneHold& hold) {
    marks.is_inherited = false;
    for (std::uint32_t place = 0; place < marks.boundary_count; ++place)
        marks.boundaries[place].kind =
            inherit_name(hold, marks.generation, marks.boundaries[place].kind);
    for (std::uint32_t place = 0; place < marks.scope_count; ++place) {
        OpenScope& scope = marks.scopes[place];
        scope.kind = inherit_name(hold, marks.generation, scope.kind);
        scope.name = inherit_name(hold, marks.generation, scope.name);
        if (scope.kind != no_name && scope.name != no_name)
            append_enter(hold, scope);
    }
    if (marks.tag != 0) {
        const std::uint32_t id =
            inherit_name(hold, marks.generation, static_cast<std::uint32_t>(marks.tag - 1));
        marks.tag = 0;
        if (id != no_name)
            append_tag(hold, std::uint64_t{id} + 1);
    }
}

} // namespace alloclab::record
