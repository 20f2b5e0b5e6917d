// SPDX-License-Identifier: MIT
// A plugin built like any part, from a library in C that the build makes, and what is refused.
#include <alloclab/base/error.hpp>
#include <alloclab/compose/build_allocator.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace alloclab {
namespace {

AnyAllocator build(const std::string& library, const std::string& more_options = "") {
    return build_allocator(
        parse_allocator_spec(R"({"allocator": "plugin", "options": {"library": ")" + library +
                             "\"" + more_options + "}}"));
}

std::string refusal(const std::string& library, const std::string& more_options = "") {
    try {
        build(library, more_options);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(plugin, is_an_allocator_with_what_its_table_has) {
    AnyAllocator bump = build(PLUGIN_IN_C);
    EXPECT_STREQ(bump.name(), "bump in C");
    EXPECT_TRUE(bump.has_reset() && bump.has_owns());
    EXPECT_FALSE(bump.has_resize() || bump.has_mark() || bump.is_thread_safe());
    void* const block = bump.allocate(100, 64);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
    std::memset(block, 1, 100);
    EXPECT_TRUE(bump.owns(block));
    bump.deallocate(block, 100, 64);
    bump.reset();
    EXPECT_EQ(bump.allocate(100, 64), block);
}

TEST(plugin, can_be_built_twice_from_one_library) {
    AnyAllocator left = build(PLUGIN_IN_C);
    AnyAllocator right = build(PLUGIN_IN_C);
    void* const block = left.allocate(8, 8);
    EXPECT_TRUE(left.owns(block));
    EXPECT_FALSE(right.owns(block));
}

TEST(plugin, is_given_its_options_and_may_refuse_them) {
    AnyAllocator small = build(PLUGIN_IN_C, R"(, "region_bytes": "4096")");
    EXPECT_EQ(small.allocate(5000, 1), nullptr);
    EXPECT_EQ(refusal(PLUGIN_IN_C, R"(, "region_bytes": "1")"),
              std::string("allocator plugin: ") + PLUGIN_IN_C + ": region_bytes is at least 4096");
    EXPECT_EQ(refusal(PLUGIN_IN_C, R"(, "colour": "blue")"),
              std::string("allocator plugin: ") + PLUGIN_IN_C +
                  ": the only option is region_bytes");
}

TEST(plugin, is_not_looked_for_where_libraries_are) {
    EXPECT_EQ(refusal("libm.so.6"), "allocator plugin: needs the absolute path of a \"library\", "
                                    "not \"libm.so.6\"");
    EXPECT_EQ(refusal(""), "allocator plugin: needs the absolute path of a \"library\", not \"\"");
}

TEST(plugin, that_cannot_be_loaded_is_named_with_the_reason) {
    EXPECT_EQ(refusal("/nowhere/mine.so")
                  .find("allocator plugin: /nowhere/mine.so: cannot be "
                        "loaded: "),
              0u);
    EXPECT_EQ(refusal(NO_PLUGIN),
              std::string("allocator plugin: ") + NO_PLUGIN + ": exports no alloclab_plugin");
}

} // namespace
} // namespace alloclab
