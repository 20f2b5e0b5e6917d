// SPDX-License-Identifier: MIT
#include <alloclab/subsystems/subsystems.hpp>

#include <alloclab/base/error.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace alloclab {
namespace {

TextSink append_to(std::string& text) {
    return {[](void* context, std::string_view piece) noexcept {
                static_cast<std::string*>(context)->append(piece);
            },
            &text};
}

Subsystem make(const char* spec, bool is_traced = false) {
    return Subsystem(SubsystemRow{"x", "X", spec, "reset after use"}, is_traced);
}

constexpr const char* platform = R"({"allocator": "platform"})";
constexpr const char* arena = R"({"allocator": "arena", "options": {"initial_bytes": "4096"}})";

TEST(Subsystem, a_reallocation_is_neither_an_allocation_nor_a_free) { // Bug D
    Subsystem vm = make(platform);
    void* const first = vm.allocate(100, 16);
    void* const zeroed = vm.allocate_zeroed(50, 16);
    void* const grown = vm.reallocate(first, 100, 200, 16);
    EXPECT_EQ(vm.totals().current_bytes, 250u);
    EXPECT_EQ(vm.totals().allocation_count, 2u);
    vm.deallocate(grown, 200, 16);
    vm.deallocate(zeroed, 50, 16);
    EXPECT_EQ(vm.totals().current_bytes, 0u);
    EXPECT_EQ(vm.totals().free_count, 2u);
    EXPECT_EQ(vm.totals().peak_bytes, 250u);
}

TEST(Subsystem, reallocating_null_is_an_allocation) { // Bug D
    Subsystem vm = make(platform);
    void* const block = vm.reallocate(nullptr, 0, 80, 16);
    EXPECT_EQ(vm.totals().allocation_count, 1u);
    EXPECT_EQ(vm.totals().current_bytes, 80u);
    vm.deallocate(block, 80, 16);
}

TEST(Subsystem, blocks_of_an_arena_end_by_reset_only) { // S5, S49
    Subsystem ast = make(arena);
    void* last = nullptr;
    for (int round = 0; round < 10; ++round) {
        last = ast.allocate(50, 16);
    }
    EXPECT_EQ(ast.totals().current_bytes, 500u);
    ast.deallocate(last, 50, 16);
    EXPECT_EQ(ast.totals().current_bytes, 500u);
    EXPECT_NE(ast.allocate(50, 16), last);
    ast.reset();
    EXPECT_EQ(ast.totals().current_bytes, 0u);
    EXPECT_EQ(ast.totals().peak_bytes, 550u);
}

TEST(Subsystem, a_reset_gives_back_every_chunk_not_only_the_first) { // Bug A
    Subsystem ast = make(R"({"allocator": "arena", "options": {"initial_bytes": "4096",
        "growth": "1", "max_chunk_bytes": "4096", "reset": "free_all"}})");
    for (int round = 0; round < 100; ++round) {
        EXPECT_NE(ast.allocate(1000, 16), nullptr);
    }
    std::size_t reserved_bytes = 0;
    const StatVisitor visitor{[](void* sum, const char* name, std::uint64_t value) {
                                  if (std::strcmp(name, "reserved_bytes") == 0) {
                                      *static_cast<std::size_t*>(sum) = value;
                                  }
                              },
                              &reserved_bytes};
    ast.allocator().visit_stats(visitor);
    EXPECT_GE(reserved_bytes, 100'000u);
    ast.reset();
    ast.allocator().visit_stats(visitor);
    EXPECT_EQ(reserved_bytes, 0u);
}

TEST(Subsystem, every_alignment_up_to_64_is_kept) { // Bug B
    for (const char* spec : {platform, arena, R"({"allocator": "freelist",
             "options": {"block_bytes": "64"}})"}) {
        Subsystem subsystem = make(spec);
        for (std::size_t alignment = 1; alignment <= 64; alignment *= 2) {
            if (void* const block = subsystem.allocate(24, alignment)) {
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u) << spec;
                subsystem.deallocate(block, 24, alignment);
            } else {
                EXPECT_GT(alignment, 16u) << spec; // refused, never misplaced
            }
        }
    }
}

TEST(Subsystem, a_traced_reset_retires_what_it_ends) { // Bug C
    Subsystem ast = make(arena, true);
    for (int round = 0; round < 10; ++round) {
        EXPECT_NE(ast.allocate(50, 16, site_here("node")), nullptr);
    }
    ast.reset();
    std::string text;
    EXPECT_FALSE(ast.trace()->write_leaks(append_to(text)));
    EXPECT_EQ(text, "");
    EXPECT_EQ(ast.totals().current_bytes, 0u);
}

TEST(Subsystem, a_remembered_block_is_freed_at_its_own_size) { // Bug D
    for (const bool is_traced : {false, true}) {
        Subsystem vm = make(platform, is_traced);
        void* const block = vm.allocate_remembered(100);
        std::memset(block, 1, 100);
        EXPECT_EQ(vm.totals().current_bytes, 100u);
        EXPECT_TRUE(vm.deallocate_remembered(block));
        EXPECT_EQ(vm.totals().current_bytes, 0u);
    }
}

TEST(Subsystem, a_free_list_counts_as_its_document_does) { // S6
    Subsystem cells = make(R"({"allocator": "freelist",
        "options": {"block_bytes": "64", "blocks_per_chunk": "10"}})");
    void* blocks[5];
    for (void*& block : blocks) {
        block = cells.allocate(32, 16);
    }
    cells.deallocate(blocks[1], 32, 16);
    cells.deallocate(blocks[3], 32, 16);
    EXPECT_NE(cells.allocate(48, 16), nullptr);
    EXPECT_NE(cells.allocate(64, 16), nullptr);
    EXPECT_EQ(cells.totals().allocation_count, 7u);
    EXPECT_EQ(cells.totals().free_count, 2u);
    EXPECT_EQ(cells.allocate(128, 16), nullptr);
    EXPECT_EQ(cells.totals().failed_count, 1u);
}

TEST(Subsystem, a_trace_counts_as_its_document_does) { // S7, S37
    Subsystem game = make(platform, true);
    void* const a = game.allocate(100, 16);
    void* const b = game.allocate(200, 16, {"game-state", "src/player.swift", 42});
    void* const c = game.allocate(50, 16);
    void* const d = game.allocate(150, 16, {"ai-data", "src/enemy.swift", 15});
    game.deallocate(a, 100, 16);
    game.deallocate(c, 50, 16);
    EXPECT_EQ(game.totals().current_bytes, 350u);
    EXPECT_EQ(game.totals().allocation_count, 4u);
    EXPECT_EQ(game.totals().free_count, 2u);
    std::string text;
    EXPECT_TRUE(game.trace()->write_leaks(append_to(text)));
    EXPECT_NE(text.find("=== MEMORY LEAKS DETECTED ===\n350 bytes leaked in 2 allocations\n  0x"),
              std::string::npos);
    EXPECT_NE(text.find(": 200 bytes at player.swift:42 [game-state]\n"), std::string::npos);
    EXPECT_NE(text.find(": 150 bytes at enemy.swift:15 [ai-data]\n"), std::string::npos);
    game.deallocate(b, 200, 16);
    game.deallocate(d, 150, 16);
}

TEST(Subsystems, the_swiftlang_preset_has_the_eleven_rows) { // S8 to S19
    const char* const expected[] = {
        "vm VM Core platform",      "objects Objects segregator",
        "strings Strings arena",    "bytecode Bytecode arena",
        "compiler Compiler arena",  "ast AST arena",
        "parser Parser arena",      "symbols Symbols arena",
        "modules Modules platform", "stdlib Stdlib platform",
        "temp Temp arena",
    };
    Subsystems all("swiftlang");
    ASSERT_EQ(all.size(), std::size(expected));
    for (std::size_t place = 0; place < all.size(); ++place) {
        Subsystem& each = all.at(place);
        EXPECT_EQ(std::string(each.row().key) + " " + each.row().title + " " +
                      each.allocator().name(),
                  expected[place]);
        EXPECT_EQ(all.find(each.row().key), &each);
    }
    EXPECT_EQ(all.find("nobody"), nullptr);
}

TEST(Subsystems, every_preset_can_be_built_plain_and_traced) {
    for (const std::string_view name : known_subsystem_presets()) {
        for (const bool is_traced : {false, true}) {
            Subsystems all(name, {false, is_traced});
            for (std::size_t place = 0; place < all.size(); ++place) {
                void* const block = all.at(place).allocate(100, 16);
                ASSERT_NE(block, nullptr) << name << " " << place;
                all.at(place).deallocate(block, 100, 16);
                EXPECT_EQ(all.at(place).row().reset_when != nullptr, all.at(place).is_bulk());
            }
        }
    }
    EXPECT_THROW(Subsystems("javalang"), Error);
}

TEST(Subsystems, statistics_are_the_text_of_the_document) { // S38
    Subsystems all("swiftlang");
    Subsystem& vm = *all.find("vm");
    void* const big = vm.allocate(204800 - 102400, 16);
    void* const kept = vm.allocate(102400, 16);
    vm.deallocate(big, 204800 - 102400, 16);
    Subsystem& ast = *all.find("ast");
    EXPECT_NE(ast.allocate(32768, 16), nullptr);
    all.reset(ast);
    EXPECT_NE(ast.allocate(32768, 16), nullptr);
    all.reset(ast);
    std::string text;
    all.write_statistics(append_to(text));
    EXPECT_EQ(text, "=== Memory Allocator Statistics ===\n"
                    "\n--- VM Core ---\n"
                    "Total Allocated:  204800 bytes\n"
                    "Current Usage:    102400 bytes\n"
                    "Peak Usage:       204800 bytes\n"
                    "Allocations:      2\n"
                    "\n--- AST ---\n"
                    "Total Allocated:  65536 bytes\n"
                    "Current Usage:    0 bytes (reset after compilation)\n"
                    "Peak Usage:       32768 bytes\n");
    vm.deallocate(kept, 102400, 16);
}

TEST(Subsystems, statistics_are_printed_once_and_only_if_asked) { // S24, Bug G
    for (const bool is_asked : {true, false}) {
        testing::internal::CaptureStderr();
        {
            Subsystems all("swiftlang", {is_asked, false});
            all.find("vm")->deallocate(all.find("vm")->allocate(8, 16), 8, 16);
            all.shut_down();
            all.shut_down();
        }
        const std::string printed = testing::internal::GetCapturedStderr();
        const std::size_t first = printed.find("=== Memory Allocator Statistics ===");
        EXPECT_EQ(first != std::string::npos, is_asked);
        EXPECT_EQ(printed.find("=== Memory", first + 1), std::string::npos);
    }
}

TEST(Subsystems, leaks_are_reported_once_and_not_for_arenas) { // S25, S37, Bug G
    testing::internal::CaptureStderr();
    {
        Subsystems all("swiftlang", {false, true});
        void* const kept = all.find("vm")->allocate(8, 16, site_here("kept"));
        EXPECT_NE(all.find("ast")->allocate(8, 16), nullptr);
        all.shut_down();
        all.find("vm")->deallocate(kept, 8, 16);
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    const std::size_t first = printed.find("=== MEMORY LEAKS DETECTED ===\n8 bytes leaked in 1 ");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(printed.find("===", first + 30), std::string::npos);
    EXPECT_NE(printed.find("subsystem_test.cpp"), std::string::npos);
}

TEST(Subsystems, the_environment_says_what_is_wanted) { // S24, S25
    for (const char* const prefix : {"ALLOCLAB", "SWIFTLANG"}) {
        const std::string stats = std::string(prefix) + "_MEM_STATS";
        const std::string debug = std::string(prefix) + "_MEM_DEBUG";
        setenv(stats.c_str(), "1", 1);
        setenv(debug.c_str(), "0", 1);
        EXPECT_TRUE(SubsystemsOptions::from_environment().prints_statistics);
        EXPECT_FALSE(SubsystemsOptions::from_environment().is_traced);
        unsetenv(stats.c_str());
        setenv(debug.c_str(), "1", 1);
        EXPECT_FALSE(SubsystemsOptions::from_environment().prints_statistics);
        EXPECT_TRUE(SubsystemsOptions::from_environment().is_traced);
        unsetenv(debug.c_str());
    }
}

TEST(Subsystems, ten_thousand_tags_fit_in_the_report) { // S39, Bug F
    Subsystems all("swiftlang", {false, true});
    Subsystem& temp = *all.find("temp");
    for (int number = 0; number < 10'000; ++number) {
        const std::string tag = "tag-" + std::to_string(number);
        EXPECT_NE(temp.allocate(16, 16, {tag.c_str(), "a.swift", 1}), nullptr);
    }
    std::string text;
    all.write_tags(append_to(text));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10'000 + 5);
    EXPECT_NE(text.find("| tag-9999 "), std::string::npos);
}

} // namespace
} // namespace alloclab
