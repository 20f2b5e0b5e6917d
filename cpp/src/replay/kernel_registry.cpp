// SPDX-License-Identifier: MIT
#include "kernel_registry.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <array>

namespace alloclab {

namespace {

struct Entry {
    std::string_view name;
    std::unique_ptr<Kernel> (*make)(const KernelConfig&);
};

// A new allocator: one file beside this one, and one line here.
constexpr std::array entries{
    Entry{"null_replay", make_null_replay_kernel},
    Entry{"malloc", make_malloc_kernel},
    Entry{"arena", make_arena_kernel},
    Entry{"frame_arena", make_frame_arena_kernel},
    Entry{"double_ended", make_double_ended_kernel},
    Entry{"freelist", make_freelist_kernel},
    Entry{"null", make_null_kernel},
    Entry{"pool", make_pool_kernel},
    Entry{"tlsf", make_tlsf_kernel},
    Entry{"buddy", make_buddy_kernel},
    Entry{"slab", make_slab_kernel},
    Entry{"page_allocator", make_page_allocator_kernel},
    Entry{"platform", make_platform_kernel},
    Entry{"jemalloc_arena", make_jemalloc_arena_kernel},
    Entry{"mimalloc_heap", make_mimalloc_heap_kernel},
    Entry{"composed", make_composed_kernel},
};

constexpr auto names = [] {
    std::array<std::string_view, entries.size()> result;
    std::transform(entries.begin(), entries.end(), result.begin(),
                   [](const Entry& entry) { return entry.name; });
    return result;
}();

} // namespace

std::unique_ptr<Kernel> make_kernel(const KernelConfig& config) {
    for (const Entry& entry : entries) {
        if (entry.name == config.heap) {
            return entry.make(config);
        }
    }
    std::string known;
    for (const std::string_view name : names) {
        known += known.empty() ? "" : ", ";
        known += name;
    }
    throw Error("heap \"" + std::string(config.heap) + "\" is unknown; known: " + known);
}

std::span<const std::string_view> heap_names() {
    return names;
}

} // namespace alloclab
