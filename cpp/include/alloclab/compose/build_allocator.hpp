// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/compose/allocator_spec.hpp>

#include <string_view>
#include <vector>

namespace alloclab {

// Builds the allocator a spec describes, its children with it.
// Throws: Error for an allocator, option or child that is unknown, missing or impossible together,
// naming the node by its path from the top.
AnyAllocator build_allocator(const AllocatorSpec& spec);

// The names `build_allocator` knows.
std::vector<std::string_view> known_allocators();

} // namespace alloclab
