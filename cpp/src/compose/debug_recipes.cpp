// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/compose/watched.hpp>

#include <array>

namespace alloclab {

namespace {

// Builds a debugging block around one child. It keeps tables of its own, which are for one thread.
template <class A, class Own> AnyAllocator build_debug(const char* name, SpecReader& reader) {
    const auto options = reader.options<Own>();
    AnyAllocator upstream = reader.child("upstream");
    const Capabilities offered = Capabilities::of(upstream);
    auto* const made = new Erased<A>(from_children, options, std::move(upstream));
    made->table.name = name;
    narrow(made->table, offered);
    made->set_defect_handler(reader.on_defect());
    return AnyAllocator(made->table, static_cast<A*>(made));
}

// What it stands on tells it of defects, and it tells on, with the sites.
AnyAllocator build_trace(const char*, SpecReader& reader) {
    const auto options = reader.options<TraceOptions>();
    TracedAllocator traced = trace_around(
        [&](const DefectHandler& named) { return reader.child("upstream", named); }, options);
    traced.trace->set_defect_handler(reader.on_defect());
    return std::move(traced.allocator);
}

constexpr std::array recipes{
    Recipe{"guard", build_debug<Guard<AnyAllocator>, NoOptions>},
    Recipe{"quarantine", build_debug<Quarantine<AnyAllocator>, QuarantineOptions>},
    Recipe{"trace", build_trace},
};

} // namespace

std::span<const Recipe> debug_recipes() {
    return recipes;
}

} // namespace alloclab
