// SPDX-License-Identifier: MIT
#pragma once

// What the recorder does now and then, and never while it holds a lane: footprints, orders from
// the driver, a new thread's exit hook.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// A lane began a block at this clock: about a hundred events have passed.
void note_block(std::uint64_t ticks);
// A block of some size was allocated.
void note_allocated(std::size_t size);
// A large block of some size is about to end.
void note_large_end(std::size_t size);

void do_what_is_due();

// Records a footprint now.
void sample_footprint();

// Creates the key whose destructor ends a thread's lanes.
void prepare_exit_hook();

} // namespace alloclab::record
