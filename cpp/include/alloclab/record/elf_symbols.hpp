// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Calls `visit` for each function that the symbol table of an object's file names: the full table
// where there is one, otherwise the dynamic one. `load_address` is what its addresses are off by.
// The name is valid during the call. A file that is no such object has no functions.
void each_function(const char* path, std::uintptr_t load_address,
                   void (*visit)(void* context, const char* name, std::uintptr_t address,
                                 std::size_t size),
                   void* context);

} // namespace alloclab::record
