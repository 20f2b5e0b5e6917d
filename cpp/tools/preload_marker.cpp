// SPDX-License-Identifier: MIT

// What a recorded program calls to say more of itself: through alloclab/marker.h, from Python, or
// by these names. docs/recording.md says what each is for.

#include "preload_entry.hpp"
#include "preload_errno.hpp"

#include <alloclab/record/marks.hpp>

#include <cstdint>

using namespace alloclab::record;

ALLOCLAB_ENTRY std::uint64_t alloclab_recorder_scope_enter(const char* kind, const char* name) {
    const ErrnoKept kept;
    return enter_scope(kind, name);
}

ALLOCLAB_ENTRY void alloclab_recorder_scope_exit(std::uint64_t scope) {
    const ErrnoKept kept;
    exit_scope(scope);
}

ALLOCLAB_ENTRY std::uint64_t alloclab_recorder_boundary(const char* kind, const char* name) {
    const ErrnoKept kept;
    return pass_boundary(kind, name);
}

ALLOCLAB_ENTRY void alloclab_recorder_mark(const char* name) {
    const ErrnoKept kept;
    record_mark(name);
}

ALLOCLAB_ENTRY std::uint64_t alloclab_recorder_tag(const char* name) {
    const ErrnoKept kept;
    return set_tag(name);
}

ALLOCLAB_ENTRY void alloclab_recorder_restore_tag(std::uint64_t before) {
    const ErrnoKept kept;
    restore_tag(before);
}

ALLOCLAB_ENTRY void alloclab_recorder_reset(std::uint64_t scope) {
    const ErrnoKept kept;
    record_reset(scope);
}

ALLOCLAB_ENTRY void alloclab_recorder_transfer(const void* p, std::uint64_t scope) {
    const ErrnoKept kept;
    record_transfer(p, scope);
}

ALLOCLAB_ENTRY void alloclab_recorder_reference(const void* holder, std::uint64_t slot,
                                                const void* target) {
    const ErrnoKept kept;
    record_reference(holder, slot, target);
}

ALLOCLAB_ENTRY void alloclab_recorder_root_push(const void* p) {
    const ErrnoKept kept;
    record_root_push(p);
}

ALLOCLAB_ENTRY void alloclab_recorder_root_pop(std::uint64_t count) {
    const ErrnoKept kept;
    record_root_pop(count);
}

ALLOCLAB_ENTRY void alloclab_recorder_root_set(std::uint64_t index, const void* p) {
    const ErrnoKept kept;
    record_root_set(index, p);
}
