// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/compose/build_allocator.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

namespace alloclab {
namespace {

AnyAllocator build(const std::string& json) {
    return build_allocator(parse_allocator_spec(json));
}

std::string refusal(const std::string& json) {
    try {
        build(json);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

std::map<std::string, std::uint64_t> stats_of(const AnyAllocator& allocator) {
    std::map<std::string, std::uint64_t> result;
    allocator.visit_stats({[](void* context, const char* name, std::uint64_t value) {
                               (*static_cast<decltype(result)*>(context))[name] += value;
                           },
                           &result});
    return result;
}

// Row S1: one interface for whatever the allocator is.
TEST(build_allocator, gives_every_known_leaf_and_its_name) {
    for (const char* name : {"arena", "freelist", "null", "pool"}) {
        AnyAllocator allocator = build(std::string(R"({"allocator": ")") + name + R"("})");
        EXPECT_STREQ(allocator.name(), name);
        EXPECT_EQ(allocator.allocate(32, 16) == nullptr, std::string(name) == "null");
    }
}

TEST(build_allocator, hands_options_to_the_allocator) {
    AnyAllocator arena =
        build(R"({"allocator": "arena", "options": {"initial_bytes": "1048576"}})");
    ASSERT_NE(arena.allocate(1, 1), nullptr);
    EXPECT_EQ(stats_of(arena).at("reserved_bytes"), 1048576u);
}

TEST(build_allocator, offers_exactly_what_the_type_offers) {
    AnyAllocator arena = build(R"({"allocator": "arena"})");
    EXPECT_TRUE(arena.has_resize() && arena.has_reset() && arena.has_owns() && arena.has_mark());
    EXPECT_FALSE(arena.has_usable_size());
    AnyAllocator freelist = build(R"({"allocator": "freelist"})");
    EXPECT_FALSE(freelist.has_mark());
}

TEST(build_allocator, marks_and_rewinds_through_the_table) {
    AnyAllocator arena = build(R"({"allocator": "arena"})");
    ASSERT_NE(arena.allocate(64, 16), nullptr);
    const alloclab_mark point = arena.mark();
    void* const first = arena.allocate(64, 16);
    EXPECT_TRUE(arena.rewind(point));
    EXPECT_EQ(arena.allocate(64, 16), first);
}

TEST(build_allocator, a_handle_can_be_moved_and_the_allocator_stays) {
    AnyAllocator pool = build(R"({"allocator": "pool"})");
    void* const block = pool.allocate(100, 16);
    AnyAllocator moved = std::move(pool);
    EXPECT_TRUE(moved.owns(block));
    std::memset(block, 1, 100);
    moved.deallocate(block, 100, 16);
}

TEST(build_allocator, names_the_place_of_what_it_refuses) {
    EXPECT_EQ(refusal(R"({"allocator": "arena", "options": {"colour": "blue"}})"),
              "allocator arena: option \"colour\" is unknown or cannot be \"blue\"");
    EXPECT_EQ(refusal(R"({"allocator": "pool", "children": {"small": {"allocator": "null"}}})"),
              "allocator pool: child \"small\" is unknown");
    EXPECT_NE(refusal(R"({"allocator": "thread_local", "children": {"upstream": {"allocator":
                         "locked", "children": {"upstream": {"allocator": "mimalloc_heap"}}}}})")
                  .find("mimalloc_heap ends with the thread that made it"),
              std::string::npos);
    EXPECT_NE(refusal(R"({"allocator": "jam"})").find("\"jam\" is unknown; known: "),
              std::string::npos);
}

TEST(build_allocator, refuses_a_short_spec_of_endless_allocators) {
    std::string json = R"({"allocator": "freelist"})";
    for (int level = 0; level < 6; ++level) {
        json = R"({"allocator": "bucketizer", "options": {"min_bytes": "1", "max_bytes": "4096",
                   "step_bytes": "16"}, "children": {"upstream": )" +
               json + "}}";
    }
    EXPECT_NE(refusal(json).find("allocators in one stack"), std::string::npos) << refusal(json);
}

TEST(parse_allocator_spec, refuses_what_is_no_spec) {
    for (const char* text :
         {"", "[]", "{", "null", "{\"allocator\": 3}", R"({"allocator": "arena", "options": []})",
          R"({"allocator": "arena", "options": {"growth": 2}})",
          R"({"allocator": "arena", "children": {"x": 1}})", R"({"allocator": "a", "extra": 1})"}) {
        EXPECT_THROW(parse_allocator_spec(text), Error) << text;
    }
}

TEST(parse_allocator_spec, refuses_a_tree_that_is_too_deep) {
    std::string text;
    for (std::size_t level = 0; level < 70; ++level) {
        text += R"({"allocator": "a", "children": {"upstream": )";
    }
    text += R"({"allocator": "a"})" + std::string(140, '}');
    EXPECT_THROW(parse_allocator_spec(text), Error);
    EXPECT_THROW(parse_allocator_spec(std::string(1000000, '[')), Error);
}

} // namespace
} // namespace alloclab
