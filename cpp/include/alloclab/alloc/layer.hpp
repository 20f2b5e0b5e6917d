// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace alloclab {

// The settings of an allocator that has none.
struct NoOptions {
    bool set(std::string_view, std::string_view) noexcept { return false; }
};

namespace detail {

template <class A> struct OptionsOfImpl { using Type = NoOptions; };
template <class A>
requires requires {
    typename A::Options;
}
struct OptionsOfImpl<A> {
    using Type = typename A::Options;
};

} // namespace detail

// The settings an allocator, or a reference to one, is built from.
template <class A>
using OptionsOf = typename detail::OptionsOfImpl<std::remove_reference_t<A>>::Type;

// Says that a combinator gets what it stands on ready made: handles that can be moved, or
// references.
struct FromChildren {};
inline constexpr FromChildren from_children{};

// Builds a child where it will stand, from its settings and the page source, as far as it takes
// them.
template <class A, class... Sources>
A make_child(const OptionsOf<A>& options, const Sources&... sources) noexcept {
    if constexpr (std::is_constructible_v<A, const OptionsOf<A>&, const Sources&...>) {
        return A(options, sources...);
    } else {
        return A(options);
    }
}

// The option an allocator of one size of blocks takes that size by, or null for any other.
template <class Options> constexpr const char* block_size_option() noexcept {
    if constexpr (requires(Options options) { options.block_bytes = std::size_t{}; }) {
        return "block_bytes";
    } else if constexpr (requires(Options options) { options.object_bytes = std::size_t{}; }) {
        return "object_bytes";
    } else {
        return nullptr;
    }
}

// Sets that size where there is one.
template <class Options> void set_block_size(Options& options, std::size_t bytes) noexcept {
    if constexpr (requires { options.block_bytes = bytes; }) {
        options.block_bytes = bytes;
    } else if constexpr (requires { options.object_bytes = bytes; }) {
        options.object_bytes = bytes;
    }
}

// What a stack of allocators holds, whatever else each of them reports.
struct HeldStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0;

    HeldStats operator+(const HeldStats& other) const noexcept {
        return {reserved_bytes + other.reserved_bytes, committed_bytes + other.committed_bytes};
    }
};

// Returns what an allocator says it holds; nothing for one that does not say.
template <Allocator A> HeldStats held_by(const A& allocator) noexcept {
    HeldStats held;
    if constexpr (Reporting<A>) {
        const auto stats = allocator.stats();
        held = {stats.reserved_bytes, stats.committed_bytes};
    } else if constexpr (Counting<A>) {
        const auto add = [](void* sum, const char* name, std::uint64_t value) {
            auto& into = *static_cast<HeldStats*>(sum);
            into.reserved_bytes += name == std::string_view("reserved_bytes") ? value : 0;
            into.committed_bytes += name == std::string_view("committed_bytes") ? value : 0;
        };
        allocator.visit_stats(StatVisitor{add, &held});
    }
    return held;
}

// Calls the visitor for every figure of an allocator.
template <Allocator A> void visit_stats_of(const A& allocator, StatVisitor visitor) noexcept {
    if constexpr (Counting<A>) {
        allocator.visit_stats(visitor);
    } else {
        const HeldStats held = held_by(allocator);
        visitor("reserved_bytes", held.reserved_bytes);
        visitor("committed_bytes", held.committed_bytes);
    }
}

// Whether `reset` may be called: of an allocator behind a table that is known at run time only.
template <Allocator A> bool can_reset(const A& allocator) noexcept {
    if constexpr (requires { allocator.has_reset(); }) {
        return allocator.has_reset();
    } else {
        return Resettable<A>;
    }
}

// A request may say where it comes from if somebody below wants to know.
template <class A, class... Site>
concept TakesSite = sizeof...(Site) == 0 ||
                    (sizeof...(Site) == 1 && (std::is_same_v<Site, AllocationSite> && ...) &&
                     Noting<A>);

// `allocate`, the site dropped where the allocator does not take one.
template <Allocator A, class... Site>
[[gnu::always_inline]] inline void* allocate_from(A& allocator, std::size_t size,
                                                  std::size_t alignment, Site... site) noexcept {
    if constexpr (sizeof...(Site) == 0 || !Noting<A>) {
        return allocator.allocate(size, alignment);
    } else {
        return allocator.allocate(size, alignment, site...);
    }
}

// An allocator with marks, whether or not it may refuse one.
template <class A>
concept Marking = Allocator<A> && requires(A& allocator, const A& constant) {
    allocator.rewind(constant.mark());
};

// Whether `name` is "<child>.<rest>"; if so takes "<child>." off.
constexpr bool take_child(std::string_view& name, std::string_view child) noexcept {
    if (name.size() <= child.size() + 1 || !name.starts_with(child) || name[child.size()] != '.') {
        return false;
    }
    name.remove_prefix(child.size() + 1);
    return true;
}

// The settings of a combinator over one allocator: its own, and those of what it stands on, which
// are set by the names "upstream.<name>".
template <OptionSet Own, OptionSet Child> struct LayerOptions : Own {
    Child upstream;

    bool set(std::string_view name, std::string_view value) noexcept {
        return take_child(name, "upstream") ? upstream.set(name, value) : Own::set(name, value);
    }
};

// What every combinator over one allocator starts from: all calls go through, and a capability is
// there exactly when the child has it. A combinator hides what it does otherwise, and deletes what
// it does not pass on. `A` may be a reference to an allocator that outlives the combinator.
template <Allocator A> class Layer {
public:
    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        return upstream_.allocate(size, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return upstream_.allocate_zeroed(size, alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        upstream_.deallocate(block, size, alignment);
    }
    void deallocate(void* block) noexcept requires UnsizedDeallocating<A> {
        upstream_.deallocate(block);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        return upstream_.resize(block, old_size, new_size, alignment);
    }
    void reset() noexcept requires Resettable<A> { upstream_.reset(); }
    bool owns(const void* block) const noexcept requires Owning<A> { return upstream_.owns(block); }
    std::size_t usable_size(const void* block) const noexcept requires Measurable<A> {
        return upstream_.usable_size(block);
    }
    auto mark() const noexcept requires Marking<A> { return upstream_.mark(); }
    auto rewind(const auto& to) noexcept requires Marking<A> { return upstream_.rewind(to); }
    auto stats() const noexcept requires Reporting<A> { return upstream_.stats(); }
    void visit_stats(StatVisitor visitor) const noexcept { visit_stats_of(upstream_, visitor); }

    std::remove_reference_t<A>& upstream() noexcept { return upstream_; }
    const std::remove_reference_t<A>& upstream() const noexcept { return upstream_; }

protected:
    template <class... Sources>
    explicit Layer(const OptionsOf<A>& options, const Sources&... sources) noexcept
        : upstream_(make_child<A>(options, sources...)) {}
    Layer(FromChildren, A upstream) noexcept : upstream_(std::forward<A>(upstream)) {}
    ~Layer() = default;

    A upstream_;
};

} // namespace alloclab
