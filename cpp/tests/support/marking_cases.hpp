// SPDX-License-Identifier: MIT
#pragma once

#include <support/combinator_cases.hpp>
#include <support/debug_cases.hpp>

namespace alloclab {

// The allocators with marks, as their suite sees them: the leaves are those of allocator_cases.hpp,
// the layers that pass marks on stand on an arena.

template <class Own> struct OverArena : ArenaCase {
    static auto options() { return LayerOptions<Own, ArenaOptions>{}; }
};

struct DeterministicArenaCase : OverArena<NoOptions> {
    template <PageSource Source> using Of = Deterministic<Arena<Source>>;
};
struct FailAfterArenaCase : OverArena<FailAfterOptions> {
    template <PageSource Source> using Of = FailAfter<Arena<Source>>;
};
struct QuantizerArenaCase : OverArena<QuantizerOptions> {
    template <PageSource Source> using Of = Quantizer<Arena<Source>>;
};
struct SizedAffixArenaCase : OverArena<AffixOptions> {
    template <PageSource Source> using Of = SizedAffix<Arena<Source>>;
    static auto options() {
        auto options = OverArena::options();
        options.prefix_bytes = 24;
        options.suffix_bytes = 5;
        return options;
    }
};
struct GuardArenaCase : OverArena<NoOptions> {
    template <PageSource Source> using Of = Guard<Arena<Source>>;
};
struct QuarantineArenaCase : OverArena<QuarantineOptions> {
    template <PageSource Source> using Of = Quarantine<Arena<Source>, Source>;
    static auto options() {
        auto options = OverArena::options();
        options.blocks = 16;
        return options;
    }
};
struct TraceArenaCase : OverArena<TraceOptions> {
    template <PageSource Source> using Of = Trace<Arena<Source>, Source>;
};

} // namespace alloclab
