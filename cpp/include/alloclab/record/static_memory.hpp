// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace alloclab::record {

// The resident anonymous bytes of this process that no allocator gave it: written pages of its
// objects' data, their zeroed data (bss), and the main stack. They are the difference between what
// a program holds and what replaying its allocations can hold. Zero where /proc does not say.
// Cost: a read of /proc/self/maps and of eight bytes a page of those mappings; some milliseconds.
std::uint64_t static_anonymous_bytes();

} // namespace alloclab::record
