// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

#include <array>

namespace alloclab {

namespace {

// Builds a debugging block around one child. All keep tables of their own, which are for one
// thread.
template <class A, class Own>
AnyAllocator build_debug(const char* name, SpecReader& reader, void (*adjust)(Capabilities&)) {
    const auto options = reader.options<Own>();
    AnyAllocator upstream = reader.child("upstream");
    Capabilities offered = Capabilities::of(upstream);
    offered.is_thread_safe = false;
    adjust(offered);
    return erase_narrowed<A>(name, offered, from_children, options, std::move(upstream));
}

AnyAllocator build_guard(const char* name, SpecReader& reader) {
    return build_debug<Guard<AnyAllocator>, NoOptions>(name, reader, [](Capabilities&) {});
}

AnyAllocator build_quarantine(const char* name, SpecReader& reader) {
    return build_debug<Quarantine<AnyAllocator>, QuarantineOptions>(name, reader,
                                                                    [](Capabilities&) {});
}

// Its table of live blocks knows what is its own, and how large.
AnyAllocator build_trace(const char* name, SpecReader& reader) {
    return build_debug<Trace<AnyAllocator>, TraceOptions>(
        name, reader, [](Capabilities& offered) { offered.owns = offered.usable_size = true; });
}

constexpr std::array recipes{
    Recipe{"guard", build_guard},
    Recipe{"quarantine", build_quarantine},
    Recipe{"trace", build_trace},
};

} // namespace

std::span<const Recipe> debug_recipes() {
    return recipes;
}

} // namespace alloclab
