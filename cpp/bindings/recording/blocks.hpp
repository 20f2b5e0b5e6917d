// SPDX-License-Identifier: MIT
#pragma once

// The events of one block, as the functions before an allocator tell them.

#include "known_blocks.hpp"
#include "threads.hpp"

#include <alloclab/record/recorder.hpp>

#include <cstddef>

namespace alloclab::recording {

// Before an allocation is recorded: it is counted, and has the site of the Python code that runs.
void note_origin(Domain domain, std::size_t size);

inline void note_birth(Domain domain, capture::Call call, void* p, std::size_t size) {
    note_origin(domain, size);
    if (p != nullptr)
        add_known(p);
    record::record_allocation(call, p, size, 0);
}

template <class Allocate>
void* allocate(Domain domain, capture::Call call, std::size_t size, Allocate allocate_really) {
    const Entry entry;
    void* const p = allocate_really();
    if (entry)
        note_birth(domain, call, p, size);
    return p;
}

// A block from before the recording is left alone: an event about an address that nobody knows
// could be taken for one about the block that comes to lie there next.
template <class Free> void free(void* p, Free free_really) {
    const Entry entry;
    if (entry && p != nullptr && take_known(p))
        record::record_free(p);
    free_really();
}

// Such a block is born when it is reallocated.
template <class Reallocate>
void* reallocate(Domain domain, void* old, std::size_t size, Reallocate reallocate_really) {
    const Entry entry;
    const bool is_known = entry && old != nullptr && take_known(old);
    if (is_known)
        record::record_realloc_begin(old);
    void* const p = reallocate_really();
    if (!entry)
        return p;
    if (!is_known) {
        if (p != nullptr || old == nullptr)
            note_birth(domain, capture::Call::realloc, p, size);
        return p;
    }
    note_origin(domain, size);
    add_known(p != nullptr ? p : old);
    record::record_realloc_end(p, size, old);
    return p;
}

} // namespace alloclab::recording
