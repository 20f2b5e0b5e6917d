// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/plugin.h>

#include <cstddef>

namespace alloclab {

// A plugin's name is at most this long.
inline constexpr std::size_t plugin_name_max_length = 64;

// Reads the table a plugin hands over, which is input: everything in it is looked at before use. A
// shorter table than ours, of an older plugin, is filled up with what it does not have; of a longer
// one only what is known is read.
// Requires: `readable_bytes` bytes stand at `table`, and a name that is not null is zero
// terminated. Throws: Error with what is wrong with it.
alloclab_allocator read_plugin_table(const void* table, std::size_t readable_bytes);

} // namespace alloclab
