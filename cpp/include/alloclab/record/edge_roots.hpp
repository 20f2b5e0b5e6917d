// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Looks for words that point into live blocks in the written data of loaded objects, on the stacks
// and in the thread-local variables of all threads (of the calling one from `frame_address` up),
// and records what changed since the epoch before. Other threads are not stopped, and their
// registers not looked at. `read` copies memory to `buffer` and returns how much of it could be
// had.
void search_roots(const void* frame_address, unsigned char* buffer, std::size_t buffer_bytes,
                  std::size_t (*read)(std::uintptr_t from, std::size_t bytes));

// In a forked child, which has no block yet.
void forget_roots();

} // namespace alloclab::record
