// SPDX-License-Identifier: MIT
#pragma once

// What an object's own headers in memory say of it.

#include <alloclab/record/modules.hpp>

#include <link.h>

namespace alloclab::record {

// Fills in the object's range, its unwind header and its build id.
// Requires: module.bias. Returns false where it has no code in memory.
bool read_headers(const ElfW(Phdr) * headers, std::size_t count, Module& module);

// The same, by way of the file header at its beginning. Requires: module.begin, end and bias.
bool read_image_headers(Module& module);

// Writes the object's path, not terminated: absolute where it has a file. Returns its length.
std::size_t module_path(const Module& module, char* out, std::size_t capacity);

// Writes the build id in hexadecimal, not terminated. Returns its length, 0 where there is none.
std::size_t build_id_text(const Module& module, char* out, std::size_t capacity);

} // namespace alloclab::record
