// SPDX-License-Identifier: MIT
// The reports of the SwiftLang allocator document, with the document's own numbers.

#include <support/defects.hpp>

#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

#include <gtest/gtest.h>

#include <regex>
#include <vector>

namespace alloclab {
namespace {

using Traced = Trace<Pool<>>;

TEST(TraceReport, leaks_are_told_in_the_documents_words) { // rows S2, S3, S7, S37
    Traced trace;
    trace.allocate(150, 16, {"ai-data", "/src/game/enemy.swift", 15, nullptr});
    void* const freed = trace.allocate(99, 16, {"game-state", "player.swift", 1, nullptr});
    trace.allocate(200, 16, {"game-state", "player.swift", 42, nullptr});
    trace.deallocate(freed, 99, 16);
    Text report;
    EXPECT_TRUE(trace.write_leaks(report.sink()));
    const std::string masked =
        std::regex_replace(report.all, std::regex("0x[0-9a-f]+"), "0x12345678");
    EXPECT_EQ(masked, "=== MEMORY LEAKS DETECTED ===\n"
                      "350 bytes leaked in 2 allocations\n"
                      "  0x12345678: 200 bytes at player.swift:42 [game-state]\n"
                      "  0x12345678: 150 bytes at enemy.swift:15 [ai-data]\n");
}

TEST(TraceReport, statistics_are_told_in_the_documents_words) { // row S38
    Text report;
    tracing::write_statistics_title(report.sink());
    TraceTotals vm;
    vm.total_allocated_bytes = 524288;
    vm.current_bytes = 102400;
    vm.peak_bytes = 204800;
    vm.allocation_count = 1543;
    tracing::write_statistics(report.sink(), "VM Core", vm, nullptr);
    TraceTotals ast;
    ast.total_allocated_bytes = 65536;
    ast.peak_bytes = 32768;
    tracing::write_statistics(report.sink(), "AST", ast, "reset after compilation");
    EXPECT_EQ(report.all, "=== Memory Allocator Statistics ===\n"
                          "\n"
                          "--- VM Core ---\n"
                          "Total Allocated:  524288 bytes\n"
                          "Current Usage:    102400 bytes\n"
                          "Peak Usage:       204800 bytes\n"
                          "Allocations:      1543\n"
                          "\n"
                          "--- AST ---\n"
                          "Total Allocated:  65536 bytes\n"
                          "Current Usage:    0 bytes (reset after compilation)\n"
                          "Peak Usage:       32768 bytes\n");
}

// `count` blocks of `bytes` in all live, after a peak.
void live_through(Traced& trace, const char* tag, std::size_t count, std::size_t bytes,
                  std::size_t peak_bytes) {
    const AllocationSite site{tag, "game.swift", 1, nullptr};
    for (std::size_t block_idx = 0; block_idx < count; ++block_idx) {
        const std::size_t rest = block_idx == 0 ? bytes % count : 0;
        trace.allocate(bytes / count + rest, 16, site);
    }
    if (peak_bytes > bytes) {
        void* const extra = trace.allocate(peak_bytes - bytes, 16, site);
        trace.deallocate(extra, peak_bytes - bytes, 16);
    }
}

TEST(TraceReport, the_table_of_tags_is_the_documents) { // rows S39, S40
    Traced trace;
    live_through(trace, "game-state", 15, 4096, 8192);
    live_through(trace, "player-data", 3, 1024, 1024);
    live_through(trace, "ai-pathfinding", 8, 2048, 4096);
    Text report;
    trace.write_tags(report.sink());
    EXPECT_EQ(report.all, "=== Allocation by Tag ===\n"
                          "| Tag                  | Count | Current Size | Peak Size |\n"
                          "|---------------------|-------|--------------|-----------|\n"
                          "| game-state          |    15 |        4096  |     8192  |\n"
                          "| player-data         |     3 |        1024  |     1024  |\n"
                          "| ai-pathfinding      |     8 |        2048  |     4096  |\n");
}

TEST(TraceReport, ten_thousand_tags_are_all_there) { // bug F: a fixed buffer of 4096 bytes
    Traced trace;
    for (int tag_idx = 0; tag_idx < 10000; ++tag_idx) {
        const std::string tag = "tag-" + std::to_string(tag_idx);
        const std::string file = "file" + std::to_string(tag_idx % 7) + ".swift";
        trace.allocate(8, 16, {tag.c_str(), file.c_str(), 1, nullptr}); // texts end here
    }
    Text report;
    trace.write_tags(report.sink());
    EXPECT_EQ(std::count(report.all.begin(), report.all.end(), '\n'), 10003);
    EXPECT_NE(report.all.find("| tag-9999            |     1 |           8  |        8  |\n"),
              std::string::npos);
    std::size_t tags = 0;
    trace.visit_tags([&](const tracing::TagTotals& tag) { tags += tag.live_count; });
    EXPECT_EQ(tags, 10000U);
}

TEST(TraceReport, more_leaks_than_asked_for_are_counted) {
    Traced trace;
    for (std::size_t size = 1; size <= 25; ++size) {
        trace.allocate(size, 16);
    }
    Text report;
    trace.write_leaks(report.sink(), 10);
    EXPECT_NE(report.all.find("325 bytes leaked in 25 allocations\n"), std::string::npos);
    EXPECT_NE(report.all.find(": 25 bytes at <unknown>:0 [<untagged>]\n"), std::string::npos);
    EXPECT_EQ(report.all.find(": 15 bytes at"), std::string::npos);
    EXPECT_TRUE(report.all.ends_with("  ... and 15 more allocations\n"));
}

TEST(TraceReport, blocks_without_a_tag_are_a_row_of_their_own) { // row S42
    Traced trace;
    trace.allocate(30, 16);
    trace.allocate(70, 16, {"named", nullptr, 0, nullptr});
    std::vector<tracing::TagTotals> rows;
    trace.visit_tags([&](const tracing::TagTotals& tag) { rows.push_back(tag); });
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_STREQ(rows[0].tag, "named");
    EXPECT_EQ(rows[1].tag, nullptr);
    EXPECT_EQ(rows[1].current_bytes, 30U);
}

} // namespace
} // namespace alloclab
