// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>
#include <alloclab/compose/erase.hpp>
#include <alloclab/compose/spec_reader.hpp>

#include <span>
#include <string>
#include <string_view>

namespace alloclab {

// How one allocator is built from its node of a spec. `name` outlives the program.
struct Recipe {
    const char* name;
    AnyAllocator (*build)(const char* name, SpecReader& reader);
    const char* block_size_option = nullptr; // of one with one size of blocks only
};

// The recipe of an allocator that stands on a page source and is made from its options alone.
template <class A> constexpr Recipe leaf(const char* name) {
    return {name,
            [](const char* known, SpecReader& reader) {
                return erase<A>(known, reader.options<typename A::Options>());
            },
            block_size_option<typename A::Options>()};
}

// The recipe of a block around one child, called `upstream`, made from its options and that child;
// it offers what the child offers.
template <template <class> class Around> constexpr Recipe around(const char* name) {
    using A = Around<AnyAllocator>;
    return {name, [](const char* known, SpecReader& reader) {
                AnyAllocator upstream = reader.child("upstream");
                const Capabilities offered = Capabilities::of(upstream);
                return erase_narrowed<A>(known, offered, reader.options<typename A::Options>(),
                                         std::move(upstream));
            }};
}

// The recipes, a group a file.
std::span<const Recipe> leaf_recipes();
std::span<const Recipe> plugin_recipes();
std::span<const Recipe> routing_recipes();
std::span<const Recipe> layer_recipes();
std::span<const Recipe> debug_recipes();

// The recipe of that name, or null.
const Recipe* find_recipe(std::string_view name);

// Builds the allocator of one node, its children with it; `on_defect` is told what they find.
AnyAllocator build_node(const AllocatorSpec& spec, const std::string& path,
                        const DefectHandler& on_defect);

} // namespace alloclab
