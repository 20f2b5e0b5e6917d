// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/trace_allocator.hpp>
#include <alloclab/compose/erase.hpp>

#include <concepts>
#include <utility>

namespace alloclab {

// A Trace behind the type-erased interface, and the way to its reports. `trace` lives as long as
// `allocator`.
struct TracedAllocator {
    AnyAllocator allocator;
    Trace<AnyAllocator>* trace;
};

// Puts a Trace around the allocator that `make(handler)` returns. What tells the handler of its
// defects has their sites named by the trace, and they go on to the trace's own handler.
// Throws: std::bad_alloc, or what `make` does.
template <std::invocable<DefectHandler> Make>
TracedAllocator trace_around(Make&& make, const TraceOptions& options = {}) {
    auto* const made =
        new Erased<Trace<AnyAllocator>>(from_children, options, std::forward<Make>(make));
    Trace<AnyAllocator>* const trace = made;
    Capabilities offered = Capabilities::of(trace->upstream());
    offered.owns = offered.usable_size = true; // the trace's own tables tell
    offered.mark = false;
    made->table.name = "trace";
    narrow(made->table, offered);
    return {AnyAllocator(made->table, trace), trace};
}

// Puts a Trace around an allocator that is there already; what it finds it tells whom it told so
// far.
inline TracedAllocator trace_around(AnyAllocator upstream) {
    return trace_around([&upstream](const DefectHandler&) { return std::move(upstream); });
}

// A Callback behind the type-erased interface, and the way to its sink. It has no marks.
struct CallbackAllocator {
    AnyAllocator allocator;
    Callback<AnyAllocator>* callback;
};

// Puts a Callback around any allocator.
// Throws: std::bad_alloc.
inline CallbackAllocator callback_around(AnyAllocator upstream) {
    Capabilities offered = Capabilities::of(upstream);
    offered.mark = false;
    const bool has_sites = upstream.has_sites();
    auto* const made = new Erased<Callback<AnyAllocator>>(from_children, std::move(upstream));
    made->table.name = "callback";
    made->table.allocate_at = has_sites ? made->table.allocate_at : nullptr;
    narrow(made->table, offered);
    Callback<AnyAllocator>* const callback = made;
    return {AnyAllocator(made->table, callback), callback};
}

} // namespace alloclab
