// SPDX-License-Identifier: MIT
#pragma once

// `frame-on` and `scope-on`: functions of a program nobody changes are patched at their entry, so
// that whoever calls them, from wherever, leaves a boundary or a scope.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Patches what the options ask for in the objects that are loaded and were not looked at yet.
// `is_others`: symbols of frame-on that are somebody else's to see to; may be null.
// Cost: a pass over the symbols of each new object.
void hook_loaded_objects(bool (*is_others)(const char* symbol));
// Whether some symbol has not been found yet: then a library that is loaded later may hold it.
bool has_pending_hooks();
// Adds to the file `hooks` beside the captures, a line a symbol, what has become of it in this
// process: "NAME was called", "NAME was never called", "NAME was not found" or why it could not be.
void report_hooks();
void report_hook(const char* symbol, const char* outcome);

// The unwinder must find return addresses as the program left them. Puts them back on this
// thread's stack; after a catch, above the catching function, the hooks are installed again.
void restore_returns();
void reinstall_returns(const void* stack);

} // namespace alloclab::record
