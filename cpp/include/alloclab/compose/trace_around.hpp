// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/trace_allocator.hpp>
#include <alloclab/compose/erase.hpp>

namespace alloclab {

// A Trace behind the type-erased interface, and the way to its reports. `trace` lives as long as
// `allocator`.
struct TracedAllocator {
    AnyAllocator allocator;
    Trace<AnyAllocator>* trace;
};

// Puts a Trace around any allocator.
// Throws: std::bad_alloc.
inline TracedAllocator trace_around(AnyAllocator upstream, const TraceOptions& options = {}) {
    Capabilities offered = Capabilities::of(upstream);
    offered.owns = offered.usable_size = true; // the trace's own tables tell
    offered.mark = false;
    auto* const made = new Erased<Trace<AnyAllocator>>(from_children, options, std::move(upstream));
    made->table.name = "trace";
    narrow(made->table, offered);
    Trace<AnyAllocator>* const trace = made;
    return {AnyAllocator(made->table, trace), trace};
}

} // namespace alloclab
