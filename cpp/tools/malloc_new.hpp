// SPDX-License-Identifier: MIT
#pragma once

#include "malloc_debug.hpp"

namespace alloclab {

// What operator new and delete are made of. Null when there is no memory; what the program set up
// for that case is up to the caller.
void* allocate_for_new(std::size_t size, std::size_t alignment, MallocCall call,
                       const void* caller) noexcept;
void deallocate_for_delete(void* block, MallocCall call, const void* caller) noexcept;
void deallocate_for_sized_delete(void* block, std::size_t size, MallocCall call,
                                 const void* caller) noexcept;

} // namespace alloclab
