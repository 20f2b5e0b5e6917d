// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/debug_defect.hpp>
#include <alloclab/compose/allocator_spec.hpp>

#include <string_view>
#include <vector>

namespace alloclab {

// Builds the allocator a spec describes, its children with it. What any part of it finds wrong in
// the program's use of memory is told to `on_defect`, which by default writes it to stderr and
// aborts; the sites are known where a trace stands around the part.
// Requires: `on_defect` can be called by every thread that uses the allocator, until it has ended.
// Throws: Error for an allocator, option or child that is unknown, missing or impossible together,
// naming the node by its path from the top.
AnyAllocator build_allocator(const AllocatorSpec& spec, const DefectHandler& on_defect = {});

// The names `build_allocator` knows.
std::vector<std::string_view> known_allocators();

} // namespace alloclab
