// SPDX-License-Identifier: MIT
#pragma once

// Which block refers to which. At the end of an epoch every live block is searched for words that
// point into live blocks, and what has changed since the epoch before is recorded. Conservative: a
// number that happens to be an address counts, and so does what a block's memory held before.

#include <alloclab/record/options.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Set once, by prepare_edges().
extern Edges edges_mode;

inline bool has_edges() {
    return __builtin_expect(edges_mode != Edges::none, false);
}

// Reads what the driver asks for. Does nothing from the second call on.
void prepare_edges();

// A block was allocated, and its event appended; ends an epoch where one is due.
void note_birth(const void* p, std::size_t size);
// A block is about to be freed.
void note_death(const void* p);
// Around a realloc of a block. Returns what the second needs.
std::uint32_t note_realloc_begin(const void* old);
void note_realloc_end(const void* p, std::size_t size, const void* old, std::uint32_t entry);

// Whether the end of a scope of this kind is the end of an epoch.
bool is_epoch_kind(const char* kind);
// Ends the last epoch, where epochs are counted by allocations.
void note_last_epoch();

// Looks through all blocks and roots now. Returns at once where another thread does.
void record_edges();

// In a forked child, whose tables are its parent's: it begins with no block.
void forget_edges();

} // namespace alloclab::record
