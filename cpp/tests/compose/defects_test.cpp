// SPDX-License-Identifier: MIT
#include <support/defects.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/compose/build_allocator.hpp>
#include <alloclab/compose/watched.hpp>

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

namespace alloclab {
namespace {

// What each part of a stack built from a spec finds reaches the handler it was built with.
class DefectsTest : public ::testing::Test {
protected:
    AnyAllocator build(const std::string& json) {
        return build_allocator(parse_allocator_spec(json), defects_.handler());
    }
    const Defect& only() {
        EXPECT_EQ(defects_.all.size(), 1U);
        static const Defect none;
        return defects_.all.empty() ? none : defects_.all[0];
    }
    // Writes a byte behind a block, then frees it.
    static void overflow(AnyAllocator& allocator, std::size_t size, AllocationSite site = {}) {
        auto* const block = static_cast<char*>(allocator.allocate(size, 16, site));
        block[size] = 1;
        allocator.deallocate(block, size, 16);
    }

    Defects defects_;
};

constexpr const char* guarded = R"({"allocator": "guard",
    "children": {"upstream": {"allocator": "pool"}}})";

std::string over(const char* name, const std::string& upstream) {
    return std::string(R"({"allocator": ")") + name + R"(", "children": {"upstream": )" + upstream +
           "}}";
}

TEST_F(DefectsTest, a_guard_tells_the_handler_the_stack_was_built_with) {
    AnyAllocator allocator = build(guarded);
    overflow(allocator, 20);
    EXPECT_EQ(only().kind, DefectKind::overflow);
    EXPECT_EQ(only().size_bytes, 20U);
}

TEST_F(DefectsTest, a_quarantine_tells_it_while_it_ends) {
    {
        AnyAllocator allocator = build(over("quarantine", R"({"allocator": "pool"})"));
        auto* const block = static_cast<char*>(allocator.allocate(64, 16));
        allocator.deallocate(block, 64, 16);
        block[8] = 1;
    }
    EXPECT_EQ(only().kind, DefectKind::use_after_free);
    EXPECT_EQ(only().offset, 8);
}

TEST_F(DefectsTest, a_trace_tells_it_of_a_double_free) {
    AnyAllocator allocator = build(over("trace", R"({"allocator": "pool"})"));
    void* const block = allocator.allocate(64, 16);
    allocator.deallocate(block, 64, 16);
    allocator.deallocate(block, 64, 16);
    EXPECT_EQ(only().kind, DefectKind::double_free);
}

TEST_F(DefectsTest, every_combinator_hands_it_to_what_it_stands_on) {
    for (const char* name :
         {"affix", "bucketizer", "callback", "deterministic", "fail_after", "guard", "limit",
          "locked", "quantizer", "quarantine", "stats", "thread_local", "trace"}) {
        defects_.all.clear();
        {
            AnyAllocator allocator = build(over(name, guarded));
            overflow(allocator, 64);
        }
        EXPECT_FALSE(defects_.all.empty()) << name;
    }
}

TEST_F(DefectsTest, both_sides_of_a_router_have_it) {
    for (const char* json : {R"({"allocator": "segregator", "options": {"threshold_bytes": "32"},
                                 "children": {"small": %, "large": %}})",
                             R"({"allocator": "fallback", "children": {
                                 "primary": {"allocator": "trace", "children": {"upstream": %}},
                                 "secondary": %}})"}) {
        std::string filled = json;
        for (std::size_t at = 0; (at = filled.find('%')) != std::string::npos;) {
            filled.replace(at, 1, guarded);
        }
        defects_.all.clear();
        AnyAllocator allocator = build(filled);
        overflow(allocator, 16);
        overflow(allocator, 64);
        EXPECT_EQ(defects_.all.size(), 2U) << filled;
    }
}

TEST_F(DefectsTest, a_threads_own_allocator_has_it_too) {
    AnyAllocator allocator = build(over("thread_local", guarded));
    std::thread([&] { overflow(allocator, 64); }).join();
    EXPECT_EQ(only().kind, DefectKind::overflow);
}

TEST_F(DefectsTest, what_is_found_while_a_thread_ends_reaches_it) {
    AnyAllocator allocator = build(over("thread_local", guarded));
    std::promise<char*> made;
    std::promise<void> freed;
    std::thread maker([&] {
        made.set_value(static_cast<char*>(allocator.allocate(64, 16)));
        freed.get_future().wait();
    });
    char* const block = made.get_future().get();
    block[64] = 1;
    allocator.deallocate(block, 64, 16);
    EXPECT_TRUE(defects_.all.empty()) << "the block waits for its own thread";
    freed.set_value();
    maker.join();
    EXPECT_EQ(only().kind, DefectKind::overflow);
}

TEST_F(DefectsTest, a_trace_names_the_sites_of_what_is_found_below_it) {
    AnyAllocator allocator = build(over("trace", over("locked", guarded)));
    overflow(allocator, 20, {"ast", "parse.cpp", 7, nullptr});
    EXPECT_STREQ(only().allocated.tag, "ast");
    EXPECT_EQ(only().allocated.line, 7U);
}

TEST_F(DefectsTest, a_trace_names_the_block_as_the_program_knows_it) {
    AnyAllocator allocator = build(over("trace", over("thread_local", guarded)));
    auto* const block = static_cast<char*>(allocator.allocate(20, 16, {"ast", "p.cpp", 7}));
    block[20] = 1;
    allocator.deallocate(block, 20, 16);
    EXPECT_EQ(only().block, block);
    EXPECT_EQ(only().size_bytes, 20U);
    EXPECT_EQ(only().offset, 20);
    EXPECT_EQ(only().allocated.line, 7U);
}

TEST_F(DefectsTest, a_trace_names_the_sites_of_what_is_found_while_the_stack_ends) {
    {
        AnyAllocator allocator =
            build(over("trace", over("quarantine", R"({"allocator": "pool"})")));
        auto* const block = static_cast<char*>(allocator.allocate(64, 16, {"ast", "p.cpp", 7}));
        allocator.deallocate(block, 64, 16);
        block[8] = 1;
    }
    EXPECT_EQ(only().kind, DefectKind::use_after_free);
    EXPECT_EQ(only().allocated.line, 7U);
}

TEST_F(DefectsTest, a_trace_whose_child_cannot_be_built_is_refused_and_leaves_nothing) {
    EXPECT_THROW(build(over("trace", R"({"allocator": "colour"})")), Error);
    EXPECT_THROW(trace_around([](const DefectHandler&) -> AnyAllocator { throw Error("no"); }),
                 Error);
}

TEST(DefectsDeathTest, without_a_handler_a_defect_is_a_line_and_the_end) {
    AnyAllocator allocator = build_allocator(parse_allocator_spec(guarded));
    auto* const block = static_cast<char*>(allocator.allocate(20, 16));
    block[20] = 1;
    EXPECT_DEATH(allocator.deallocate(block, 20, 16), "write past the end.*20 bytes");
    block[20] = static_cast<char>(0xFB);
    allocator.deallocate(block, 20, 16);
}

} // namespace
} // namespace alloclab
