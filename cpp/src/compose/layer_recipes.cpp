// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/alloc/affix.hpp>
#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/deterministic.hpp>
#include <alloclab/alloc/fail_after.hpp>
#include <alloclab/alloc/limit.hpp>
#include <alloclab/alloc/locked.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/option_text.hpp>
#include <alloclab/alloc/quantizer.hpp>
#include <alloclab/alloc/stats.hpp>
#include <alloclab/alloc/thread_local.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace alloclab {

namespace {

// Builds a block around one child from the block's own options, offering what `adjust` leaves of
// what the child offers.
template <class A, class Options>
AnyAllocator build_around(const char* name, SpecReader& reader, void (*adjust)(Capabilities&)) {
    const auto options = reader.options<Options>();
    AnyAllocator upstream = reader.child("upstream");
    Capabilities offered = Capabilities::of(upstream);
    offered.is_thread_safe = upstream.is_thread_safe();
    adjust(offered);
    if constexpr (std::is_constructible_v<A, FromChildren, AnyAllocator>) {
        return erase_narrowed<A>(name, offered, from_children, std::move(upstream));
    } else {
        return erase_narrowed<A>(name, offered, from_children, options, std::move(upstream));
    }
}

AnyAllocator build_affix(const char* name, SpecReader& reader) {
    return build_around<SizedAffix<AnyAllocator>, AffixOptions>(name, reader, [](Capabilities&) {});
}

AnyAllocator build_quantizer(const char* name, SpecReader& reader) {
    return build_around<Quantizer<AnyAllocator>, QuantizerOptions>(
        name, reader, [](Capabilities& offered) { offered.resize = true; });
}

AnyAllocator build_deterministic(const char* name, SpecReader& reader) {
    return build_around<Deterministic<AnyAllocator>, NoOptions>(name, reader, [](Capabilities&) {});
}

// These keep counts of their own, which are for one thread.
AnyAllocator build_limit(const char* name, SpecReader& reader) {
    return build_around<Limit<AnyAllocator>, LimitOptions>(
        name, reader, [](Capabilities& offered) { offered.is_thread_safe = false; });
}

AnyAllocator build_fail_after(const char* name, SpecReader& reader) {
    return build_around<FailAfter<AnyAllocator>, FailAfterOptions>(
        name, reader, [](Capabilities& offered) { offered.is_thread_safe = false; });
}

AnyAllocator build_callback(const char* name, SpecReader& reader) {
    return build_around<Callback<AnyAllocator>, NoOptions>(
        name, reader, [](Capabilities& offered) { offered.is_thread_safe = false; });
}

bool read_flag(SpecReader& reader, std::string_view name) {
    bool value = false;
    const std::string_view text = reader.text(name, "false");
    if (!parse_flag(text, value)) {
        reader.refuse("option \"" + std::string(name) + "\" cannot be \"" + std::string(text) +
                      "\"");
    }
    return value;
}

AnyAllocator build_stats(const char* name, SpecReader& reader) {
    const bool has_slack = read_flag(reader, "slack");
    const bool has_histogram = read_flag(reader, "histogram");
    AnyAllocator upstream = reader.child("upstream");
    Capabilities offered = Capabilities::of(upstream);
    offered.reallocate = true; // to count it
    if (has_slack && !offered.usable_size) {
        reader.refuse_child("upstream", std::string(upstream.name()) +
                                            " does not know how large its blocks are, and slack "
                                            "is what they are larger than asked for");
    }
    const auto build = [&]<StatsDetail detail>() {
        return erase_narrowed<Stats<AnyAllocator, detail>>(name, offered, from_children,
                                                           std::move(upstream));
    };
    if (has_slack) {
        return has_histogram ? build.template operator()<StatsDetail{true, true}>()
                             : build.template operator()<StatsDetail{true, false}>();
    }
    return has_histogram ? build.template operator()<StatsDetail{false, true}>()
                         : build.template operator()<StatsDetail{false, false}>();
}

AnyAllocator build_locked(const char* name, SpecReader& reader) {
    const std::string_view lock = reader.text("lock", "spin");
    if (lock != "spin" && lock != "mutex") {
        reader.refuse("option \"lock\" cannot be \"" + std::string(lock) +
                      "\": it is spin or mutex");
    }
    AnyAllocator upstream = reader.child("upstream");
    const Capabilities offered = Capabilities::of(upstream);
    if (lock == "spin") {
        return erase_narrowed<Locked<AnyAllocator>>(name, offered, from_children,
                                                    std::move(upstream));
    }
    return erase_narrowed<Locked<AnyAllocator, MutexLock>>(name, offered, from_children,
                                                           std::move(upstream));
}

// Builds a thread's allocator from the spec when the thread first asks.
struct MakeFromSpec {
    AllocatorSpec spec;
    std::string path;
    DefectHandler on_defect;

    // The spec was built once already: what can fail now is memory, and whoever has none of it gets
    // an allocator that gives none.
    AnyAllocator operator()() const noexcept {
        try {
            return build_node(spec, path, on_defect);
        } catch (const std::exception&) {
            static Null nothing;
            static constexpr alloclab_allocator table = table_of<Null>("null");
            return AnyAllocator(table, &nothing);
        }
    }
};

bool contains(const AllocatorSpec& spec, std::string_view name) {
    return spec.name == name ||
           std::any_of(spec.children.begin(), spec.children.end(),
                       [&](const AllocatorChild& child) { return contains(child.spec, name); });
}

AnyAllocator build_thread_local(const char* name, SpecReader& reader) {
    const auto options = reader.options<ThreadLocalOptions>();
    MakeFromSpec make{reader.child_spec("upstream"), reader.path_of("upstream"),
                      reader.on_defect()};
    if (contains(make.spec, "mimalloc_heap")) {
        reader.refuse_child("upstream", "mimalloc_heap ends with the thread that made it, and "
                                        "thread_local hands its parts on");
    }
    Capabilities offered = Capabilities::of(build_node(make.spec, make.path, make.on_defect));
    offered.usable_size = true; // it keeps the sizes itself
    return erase_narrowed<ThreadLocal<AnyAllocator, OsPageSource, MakeFromSpec>>(
        name, offered, options, std::move(make), OsPageSource{});
}

// A new block around one allocator: its header above, a function, and one line here.
constexpr std::array recipes{
    Recipe{"affix", build_affix},           Recipe{"quantizer", build_quantizer},
    Recipe{"stats", build_stats},           Recipe{"limit", build_limit},
    Recipe{"locked", build_locked},         Recipe{"thread_local", build_thread_local},
    Recipe{"callback", build_callback},     Recipe{"deterministic", build_deterministic},
    Recipe{"fail_after", build_fail_after},
};

} // namespace

std::span<const Recipe> layer_recipes() {
    return recipes;
}

} // namespace alloclab
