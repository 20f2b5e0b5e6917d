// SPDX-License-Identifier: MIT
#pragma once

// Which blocks this recording has seen born. A bit for each 16 bytes of the address space: the
// parts in use are mapped when they are first needed, so it is a 128th of the memory the blocks lie
// in, and setting, asking and clearing are an atomic operation on one word, without a lock.

#include <cstdint>

namespace alloclab::recording {

// Returns whether it could be noted. Blocks that do not begin at a multiple of 16 cannot.
bool add_known(const void* p);

// Forgets the block. Returns whether it was known; a block that could not have been noted counts
// as known.
bool take_known(const void* p);

// Requires: no thread is in here.
void forget_known();

} // namespace alloclab::recording
