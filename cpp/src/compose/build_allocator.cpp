// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/compose/build_allocator.hpp>

#include <array>

namespace alloclab {

namespace {

auto all_recipes() {
    return std::array{
        leaf_recipes(), plugin_recipes(), routing_recipes(), layer_recipes(), debug_recipes(),
    };
}

} // namespace

const Recipe* find_recipe(std::string_view name) {
    for (const std::span<const Recipe> group : all_recipes()) {
        for (const Recipe& recipe : group) {
            if (name == recipe.name) {
                return &recipe;
            }
        }
    }
    return nullptr;
}

namespace {

// Bucketizers within bucketizers multiply: a short spec must not build without end.
constexpr std::size_t max_nodes = std::size_t{1} << 16;
thread_local std::size_t node_count = 0;
thread_local std::size_t node_depth = 0;

class CountedNode {
public:
    explicit CountedNode(const std::string& path) {
        if (node_depth == 0) {
            node_count = 0;
        }
        if (++node_count > max_nodes) {
            throw Error("allocator " + path + ": more than " + std::to_string(max_nodes) +
                        " allocators in one stack");
        }
        ++node_depth;
    }
    ~CountedNode() { --node_depth; }
    CountedNode(const CountedNode&) = delete;
    CountedNode& operator=(const CountedNode&) = delete;
};

} // namespace

AnyAllocator build_node(const AllocatorSpec& spec, const std::string& path,
                        const DefectHandler& on_defect) {
    const CountedNode counted(path);
    if (const Recipe* const recipe = find_recipe(spec.name)) {
        SpecReader reader(spec, path, on_defect);
        AnyAllocator built = recipe->build(recipe->name, reader);
        reader.finish();
        return built;
    }
    std::string known;
    for (const std::string_view name : known_allocators()) {
        known += (known.empty() ? "" : ", ") + std::string(name);
    }
    throw Error("allocator " + path + ": \"" + spec.name + "\" is unknown; known: " + known);
}

AnyAllocator build_allocator(const AllocatorSpec& spec, const DefectHandler& on_defect) {
    return build_node(spec, spec.name, on_defect);
}

std::vector<std::string_view> known_allocators() {
    std::vector<std::string_view> names;
    for (const std::span<const Recipe> group : all_recipes()) {
        for (const Recipe& recipe : group) {
            names.emplace_back(recipe.name);
        }
    }
    return names;
}

} // namespace alloclab
