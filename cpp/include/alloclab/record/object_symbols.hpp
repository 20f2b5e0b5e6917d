// SPDX-License-Identifier: MIT
#pragma once

// What an object in memory defines for others. The loader could be asked (dlsym), but takes a lock
// for it that may be held by a thread that waits for this one, and allocates where it finds
// nothing.

#include <alloclab/record/modules.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct ObjectSymbol {
    std::uintptr_t address; // 0: the object defines none of that name
    std::size_t bytes;
};

// Cost: of a symbol that is not there, mostly three loads beside a pass over the dynamic section.
ObjectSymbol find_object_symbol(const Module& module, const char* name);

} // namespace alloclab::record
