// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/alloc/bucketizer.hpp>
#include <alloclab/alloc/fallback.hpp>
#include <alloclab/alloc/segregator.hpp>

#include <array>

namespace alloclab {

namespace {

constexpr std::size_t bucket_limit = 256;

AnyAllocator build_segregator(const char* name, SpecReader& reader) {
    const auto options = reader.options<SegregatorOptions>();
    AnyAllocator small = reader.child("small");
    AnyAllocator large = reader.child("large");
    Capabilities offered = Capabilities::of(small) & Capabilities::of(large);
    offered.resize = small.has_resize() || large.has_resize();
    offered.reallocate = small.has_reallocate() || large.has_reallocate();
    offered.usable_size = offered.usable_size && small.has_owns();
    offered.is_thread_safe = small.is_thread_safe() && large.is_thread_safe();
    return erase_narrowed<Segregator<AnyAllocator, AnyAllocator>>(
        name, offered, from_children, options, std::move(small), std::move(large));
}

AnyAllocator build_fallback(const char* name, SpecReader& reader) {
    AnyAllocator primary = reader.child("primary");
    AnyAllocator secondary = reader.child("secondary");
    if (!primary.has_owns()) {
        reader.refuse_child("primary", std::string(primary.name()) +
                                           " does not know which blocks are its own, and a "
                                           "fallback asks at every free");
    }
    Capabilities offered = Capabilities::of(primary) & Capabilities::of(secondary);
    offered.resize = primary.has_resize() || secondary.has_resize();
    offered.is_thread_safe = primary.is_thread_safe() && secondary.is_thread_safe();
    return erase_narrowed<Fallback<AnyAllocator, AnyAllocator>>(
        name, offered, from_children, std::move(primary), std::move(secondary));
}

// Sets the one size of blocks of every part that has only one.
void set_block_bytes(AllocatorSpec& spec, std::size_t bytes) {
    const Recipe* const recipe = find_recipe(spec.name);
    if (recipe != nullptr && recipe->block_size_option != nullptr) {
        const std::string option = recipe->block_size_option;
        std::erase_if(spec.options, [&option](const auto& each) { return each.first == option; });
        spec.options.emplace_back(option, std::to_string(bytes));
    }
    for (auto& [child_name, child] : spec.children) {
        set_block_bytes(child, bytes);
    }
}

AnyAllocator build_bucketizer(const char* name, SpecReader& reader) {
    const auto options = reader.options<BucketizerOptions>();
    if (options.max_bytes < options.min_bytes) {
        reader.refuse("max_bytes " + std::to_string(options.max_bytes) + " is below min_bytes " +
                      std::to_string(options.min_bytes));
    }
    const BucketSteps steps(options, SIZE_MAX);
    if (steps.count() > bucket_limit) {
        reader.refuse("its steps make " + std::to_string(steps.count()) + " buckets, more than " +
                      std::to_string(bucket_limit));
    }
    std::vector<AnyAllocator> buckets;
    AllocatorSpec upstream = reader.child_spec("upstream");
    for (std::size_t bucket_idx = 0; bucket_idx < steps.count(); ++bucket_idx) {
        set_block_bytes(upstream, steps.largest_of(bucket_idx));
        buckets.push_back(build_node(upstream, reader.path_of("upstream"), reader.on_defect()));
    }
    Capabilities offered = Capabilities::of(buckets.front());
    offered.resize = true;
    offered.usable_size = offered.usable_size && offered.owns;
    offered.is_thread_safe = buckets.front().is_thread_safe();
    auto next = buckets.begin();
    return erase_narrowed<Bucketizer<AnyAllocator, bucket_limit>>(
        name, offered, from_children, options, [&next](std::size_t) { return std::move(*next++); });
}

// A new way to choose between allocators: its header above, a function, and one line here.
constexpr std::array recipes{
    Recipe{"segregator", build_segregator},
    Recipe{"bucketizer", build_bucketizer},
    Recipe{"fallback", build_fallback},
};

} // namespace

std::span<const Recipe> routing_recipes() {
    return recipes;
}

} // namespace alloclab
