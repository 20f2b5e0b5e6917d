// SPDX-License-Identifier: MIT
#include <support/live_blocks.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/compose/build_allocator.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace alloclab {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Children = std::vector<AllocatorChild>;

AllocatorSpec node(std::string name, Pairs options = {}, Children children = {}) {
    return {std::move(name), std::move(options), std::move(children)};
}
AllocatorSpec over(std::string name, AllocatorSpec upstream, Pairs options = {}) {
    return node(std::move(name), std::move(options), {{"upstream", std::move(upstream)}});
}

std::string refusal(const AllocatorSpec& spec) {
    try {
        build_allocator(spec);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

std::map<std::string, std::uint64_t> figures_of(const AnyAllocator& allocator) {
    std::map<std::string, std::uint64_t> figures;
    allocator.visit_stats({[](void* context, const char* name, std::uint64_t value) {
                               (*static_cast<decltype(figures)*>(context))[name] += value;
                           },
                           &figures});
    return figures;
}

// Free lists for small sizes, runs of pages for middling ones, mappings for the rest.
AllocatorSpec jemalloc_like() {
    const auto lists = [](const char* min, const char* max, const char* step) {
        return over("bucketizer", node("freelist"),
                    {{"min_bytes", min}, {"max_bytes", max}, {"step_bytes", step}});
    };
    const auto split = [](const char* threshold, AllocatorSpec small, AllocatorSpec large) {
        return node("segregator", {{"threshold_bytes", threshold}},
                    {{"small", std::move(small)}, {"large", std::move(large)}});
    };
    return split("128", lists("1", "128", "16"),
                 split("256", lists("129", "256", "32"),
                       split("1024", lists("257", "1024", "128"), node("pool"))));
}

struct Composition {
    const char* name;
    AllocatorSpec spec;
};

std::vector<Composition> compositions() {
    return {
        {"jemalloc-like", jemalloc_like()},
        {"affix", over("affix", node("pool"), {{"prefix_bytes", "8"}, {"suffix_bytes", "8"}})},
        {"quantizer", over("quantizer", node("arena"), {{"steps_per_doubling", "4"}})},
        {"stats", over("stats", jemalloc_like(), {{"slack", "true"}, {"histogram", "true"}})},
        {"limit", over("limit", node("pool"), {{"limit_bytes", "1 MiB"}})},
        {"locked", over("locked", over("stats", node("pool")), {{"lock", "mutex"}})},
        {"thread_local", over("thread_local", jemalloc_like())},
        {"callback", over("callback", over("deterministic", node("pool")))},
        {"fallback",
         node("fallback", {},
              {{"primary", over("quantizer", node("freelist", {{"block_bytes", "512"}}))},
               {"secondary", node("arena")}})},
    };
}

TEST(combinator_recipes, every_composition_keeps_its_blocks_apart_and_whole) {
    for (const auto& [name, spec] : compositions()) {
        AnyAllocator allocator = build_allocator(spec);
        LiveBlocks model;
        Rng rng(3);
        for (int step = 0; step < 5000; ++step) {
            const std::size_t size = rng.below(std::uint64_t{1} << (1 + rng.below(15)));
            if (rng.below(5) < 3 || model.blocks().empty()) {
                const std::size_t alignment = std::size_t{1} << rng.below(8);
                void* const block = allocator.allocate(size, alignment);
                ASSERT_EQ(block != nullptr ? model.add(block, size, alignment) : "", "")
                    << name << ", step " << step;
                continue;
            }
            const auto first = model.blocks().begin();
            auto chosen = model.blocks().lower_bound(
                first->first + rng.below(model.blocks().rbegin()->first - first->first + 1));
            const LiveBlocks::Block block = chosen->second;
            auto* const memory = reinterpret_cast<void*>(chosen->first);
            if (allocator.resize(memory, block.size, size, block.alignment)) {
                const std::size_t kept = std::min(size, block.size);
                ASSERT_EQ(LiveBlocks::check(memory, kept, block.fill), "") << name;
                model.forget(memory); // what a smaller size leaves behind is not ours to look at
                ASSERT_EQ(model.add(memory, size, block.alignment), "") << name;
                continue;
            }
            ASSERT_EQ(model.remove(memory), "") << name << ", step " << step;
            allocator.deallocate(memory, block.size, block.alignment);
        }
        EXPECT_GT(model.blocks().size(), 10U) << name;
        for (const auto& [address, block] : model.blocks()) {
            allocator.deallocate(reinterpret_cast<void*>(address), block.size, block.alignment);
        }
    }
}

TEST(combinator_recipes, fits_the_free_lists_under_a_bucketizer_to_their_buckets) {
    AnyAllocator buckets =
        build_allocator(over("bucketizer", over("stats", node("freelist", {{"block_bytes", "8"}})),
                             {{"max_bytes", "64"}, {"step_bytes", "16"}}));
    for (const std::size_t size : {1U, 16U, 17U, 40U, 64U}) {
        EXPECT_NE(buckets.allocate(size, 16), nullptr) << size;
    }
    EXPECT_EQ(buckets.allocate(65, 16), nullptr);
    EXPECT_EQ(figures_of(buckets).at("stats_used_bytes"), 16U + 16U + 32U + 48U + 64U);
}

TEST(combinator_recipes, fits_slabs_too) {
    AnyAllocator buckets = build_allocator(over("bucketizer", node("slab")));
    EXPECT_NE(buckets.allocate(200, 16), nullptr) << "a slab's own size would be 64";
}

TEST(combinator_recipes, counts_are_visited_through_the_whole_stack) {
    AnyAllocator allocator = build_allocator(
        over("limit", over("callback", over("stats", node("pool"), {{"histogram", "yes"}})),
             {{"limit_bytes", "1000"}}));
    void* const block = allocator.allocate(600, 16);
    EXPECT_EQ(allocator.allocate(600, 16), nullptr);
    allocator.deallocate(block, 600, 16);
    const auto figures = figures_of(allocator);
    EXPECT_EQ(figures.at("limit_refused_ops"), 1U);
    EXPECT_EQ(figures.at("limit_refused_bytes"), 600U);
    EXPECT_EQ(figures.at("limit_used_bytes"), 0U);
    EXPECT_EQ(figures.at("callback_allocate_events"), 1U) << "the second never came so far";
    EXPECT_EQ(figures.at("callback_deallocate_events"), 1U);
    EXPECT_EQ(figures.at("stats_allocate_ok_ops"), 1U);
    EXPECT_EQ(figures.at("stats_high_tide_bytes"), 600U);
    EXPECT_EQ(figures.at("stats_size_up_to_1023_ops"), 1U);
    EXPECT_GT(figures.at("reserved_bytes"), 0U);
}

TEST(combinator_recipes, offers_what_all_parts_share) {
    const auto has = [](const AllocatorSpec& spec) { return build_allocator(spec); };
    EXPECT_FALSE(has(over("deterministic", node("pool"))).has_resize());
    EXPECT_TRUE(has(over("deterministic", node("arena"))).has_mark());
    EXPECT_TRUE(has(over("quantizer", over("deterministic", node("pool")))).has_resize());
    EXPECT_FALSE(has(over("affix", node("pool"))).has_owns());
    EXPECT_TRUE(has(over("affix", node("pool"))).has_reset());
    EXPECT_FALSE(has(over("stats", node("arena"))).has_mark());
    EXPECT_TRUE(has(over("thread_local", node("arena"))).has_usable_size());
    EXPECT_TRUE(has(over("thread_local", node("arena"))).is_thread_safe());
    EXPECT_TRUE(has(over("quantizer", over("locked", node("pool")))).is_thread_safe());
    EXPECT_FALSE(has(over("stats", over("locked", node("pool")))).is_thread_safe());
    const AllocatorSpec half =
        node("segregator", {}, {{"small", over("affix", node("pool"))}, {"large", node("pool")}});
    EXPECT_FALSE(has(half).has_owns());
    EXPECT_TRUE(has(half).has_reset() && has(half).has_resize());
}

TEST(combinator_recipes, refuses_what_cannot_work_and_names_the_place) {
    EXPECT_EQ(
        refusal(node("fallback", {},
                     {{"primary", over("affix", node("pool"))}, {"secondary", node("null")}})),
        "allocator fallback.primary: affix does not know which blocks are its own, and a "
        "fallback asks at every free");
    EXPECT_EQ(refusal(over("limit", over("stats", node("arena"), {{"slack", "true"}}))),
              "allocator limit.upstream.upstream: arena does not know how large its blocks are, "
              "and slack is what they are larger than asked for");
    EXPECT_EQ(
        refusal(over("bucketizer", node("freelist"), {{"min_bytes", "100"}, {"max_bytes", "50"}})),
        "allocator bucketizer: max_bytes 50 is below min_bytes 100");
    EXPECT_EQ(refusal(over("bucketizer", node("freelist"), {{"max_bytes", "1 MiB"}})),
              "allocator bucketizer: its steps make 65536 buckets, more than 256");
    EXPECT_EQ(refusal(node("segregator", {}, {{"small", node("pool")}})),
              "allocator segregator: has no \"large\"");
    EXPECT_EQ(refusal(over("locked", node("pool"), {{"lock", "door"}})),
              "allocator locked: option \"lock\" cannot be \"door\": it is spin or mutex");
    EXPECT_EQ(refusal(over("stats", node("pool"), {{"slack", "much"}})),
              "allocator stats: option \"slack\" cannot be \"much\"");
    EXPECT_EQ(refusal(over("stats", node("pool"), {{"slac", "true"}})),
              "allocator stats: option \"slac\" is unknown");
    EXPECT_EQ(refusal(over("thread_local", over("quantizer", node("pool", {{"x", "1"}})))),
              "allocator thread_local.upstream.upstream: option \"x\" is unknown or cannot be "
              "\"1\"");
    EXPECT_EQ(refusal(over("deterministic", node("pool"), {{"a", "b"}})),
              "allocator deterministic: option \"a\" is unknown or cannot be \"b\"");
    EXPECT_EQ(refusal(node("fallback", {{"a", "b"}},
                           {{"primary", node("pool")}, {"secondary", node("pool")}})),
              "allocator fallback: option \"a\" is unknown");
}

TEST(combinator_recipes, a_composed_stack_serves_threads_behind_one_of_the_two_that_may) {
    for (const char* name : {"locked", "thread_local"}) {
        AnyAllocator allocator = build_allocator(over(name, jemalloc_like()));
        std::vector<std::thread> threads;
        std::vector<std::vector<void*>> blocks(3);
        for (auto& mine : blocks) {
            threads.emplace_back([&allocator, &mine] {
                for (std::size_t size = 0; size < 2000; ++size) {
                    mine.push_back(allocator.allocate(size, 16));
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        for (const auto& theirs : blocks) {
            for (std::size_t size = 0; size < 2000; ++size) {
                ASSERT_NE(theirs[size], nullptr);
                allocator.deallocate(theirs[size], size, 16); // by a thread that made none
            }
        }
    }
}

TEST(combinator_recipes, marks_pass_where_a_rewind_leaves_nothing_wrong) {
    for (const char* name :
         {"affix", "deterministic", "fail_after", "guard", "quantizer", "quarantine"}) {
        AnyAllocator allocator = build_allocator(over(name, node("arena")));
        ASSERT_TRUE(allocator.has_mark()) << name;
        auto* const older = static_cast<unsigned char*>(allocator.allocate(100, 16));
        std::memset(older, 7, 100);
        const alloclab_mark point = allocator.mark();
        void* const younger = allocator.allocate(100, 16);
        EXPECT_TRUE(allocator.rewind(point)) << name;
        EXPECT_EQ(allocator.allocate(100, 16), younger) << name;
        EXPECT_EQ(LiveBlocks::check(older, 100, 7), "") << name;
    }
    for (const char* name : {"callback", "limit", "locked", "stats", "thread_local", "trace"}) {
        EXPECT_FALSE(build_allocator(over(name, node("arena"))).has_mark()) << name;
    }
}

TEST(combinator_recipes, reallocation_reaches_whoever_counts_it) {
    const AllocatorSpec counted = over("stats", node("pool"));
    const auto split = [](AllocatorSpec small, AllocatorSpec large) {
        return node("segregator", {}, {{"small", std::move(small)}, {"large", std::move(large)}});
    };
    for (const AllocatorSpec& spec :
         {counted, over("locked", counted), over("stats", over("stats", node("pool"))),
          split(counted, node("pool")), over("locked", split(node("pool"), counted))}) {
        EXPECT_TRUE(build_allocator(spec).has_reallocate()) << spec.name;
    }
    for (const AllocatorSpec& spec : {node("pool"), over("locked", node("pool")),
                                      split(node("pool"), node("pool")), over("limit", counted)}) {
        EXPECT_FALSE(build_allocator(spec).has_reallocate()) << spec.name;
    }
}

TEST(combinator_recipes, a_reallocation_that_moves_keeps_the_bytes_and_is_counted) {
    const AllocatorSpec plain = node("arena");
    const AllocatorSpec one = over("locked", over("stats", plain));
    const AllocatorSpec two = over("stats", one);
    for (const auto& [spec, parts] :
         {std::pair(plain, 0U), std::pair(one, 1U), std::pair(two, 2U)}) {
        AnyAllocator allocator = build_allocator(spec);
        auto* const block = static_cast<unsigned char*>(allocator.allocate(100, 16));
        block[99] = 42;
        allocator.allocate(8, 16); // in the way
        auto* const moved = static_cast<unsigned char*>(allocator.reallocate(block, 100, 400, 16));
        EXPECT_NE(moved, block);
        EXPECT_EQ(moved[99], 42);
        EXPECT_EQ(allocator.reallocate(moved, 400, std::size_t{1} << 60, 16), nullptr);
        auto figures = figures_of(allocator);
        EXPECT_EQ(figures["stats_moved_bytes"], 100 * parts);
        EXPECT_EQ(figures["stats_reallocate_ops"], 2 * parts);
        EXPECT_EQ(figures["stats_used_bytes"], 408 * parts);
    }
}

} // namespace
} // namespace alloclab
