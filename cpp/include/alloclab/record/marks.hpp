// SPDX-License-Identifier: MIT
#pragma once

// What a program says of itself: scopes, marks, tags, and of its object graph. Each function
// appends one event, and before it the names that are new. Safe in signal handlers; texts may be
// null, which is the same as "".

#include <alloclab/record/append.hpp>
#include <alloclab/record/capture_format.hpp>

#include <cstdint>

namespace alloclab::record {

// Begins a scope of the calling thread. Returns its number in this capture, 0: not recorded.
std::uint64_t enter_scope(const char* kind, const char* name);
// Ends it, on whichever thread. Nothing for 0.
void exit_scope(std::uint64_t scope);

// Ends the scope that the thread's last boundary of this kind began, and begins the next.
// A thread keeps eight kinds of boundaries; of a ninth, the eighth's scope is ended.
std::uint64_t pass_boundary(const char* kind, const char* name);

void record_mark(const char* name);

// Sets the tag of the thread's allocations, null: none. Returns what restore_tag() needs.
std::uint64_t set_tag(const char* name);
void restore_tag(std::uint64_t before);

// Everything in the scope is given up at once. 0: whatever the thread's innermost scope is.
void record_reset(std::uint64_t scope);
void record_transfer(const void* p, std::uint64_t scope);

void record_reference(const void* holder, std::uint64_t slot, const void* target);
void record_root_push(const void* p);
void record_root_pop(std::uint64_t count);
void record_root_set(std::uint64_t index, const void* p);

// The calling thread's scopes, boundaries and tag were another capture's.
void forget_marks();

// In a forked child: the thread's open scopes and its tag are to be told again.
void inherit_marks();
// Tells them, under the numbers the program knows them by: the first event of the child's thread
// calls it, holding a lane. Of more than 32 open scopes the outermost 32.
void tell_inherited_marks(LaneHold& hold);
bool has_inherited_marks();

} // namespace alloclab::record
