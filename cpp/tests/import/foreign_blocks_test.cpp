// SPDX-License-Identifier: MIT
#include <alloclab/import/foreign_blocks.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>

#include "support/trace_file.hpp"

#include <gtest/gtest.h>

namespace alloclab::test {

namespace {

constexpr ForeignCaller first{.thread = 0};
constexpr ForeignCaller second{.thread = 1};

class ForeignBlocksTest : public testing::Test {
protected:
    // Ends the trace; what it adds up to.
    TraceSummary finish() {
        const ForeignBlocks::Counts& counts = blocks.counts();
        return builder.finish({.unknown_frees = counts.unknown_frees,
                               .missed_frees = counts.missed_frees,
                               .inversions = counts.inversions},
                              "{}");
    }

    TemporaryFolder folder;
    TraceBuilder builder{folder.file("t.alloctrace"), {.level = 1}};
    ForeignBlocks blocks{builder};
};

TEST_F(ForeignBlocksTest, an_address_is_another_object_after_its_free) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    EXPECT_EQ(blocks.find(0x10)->object, 0u);
    blocks.free(0x10, first);
    EXPECT_EQ(blocks.find(0x10), nullptr);
    blocks.allocate(0x10, 9, 0, AllocationCall::malloc, first);
    EXPECT_EQ(blocks.find(0x10)->object, 1u);
    EXPECT_EQ(blocks.find(0x10)->size, 9u);
    const TraceSummary summary = finish();
    EXPECT_EQ(summary.frees, 1u);
    EXPECT_EQ(summary.live_objects_at_end, 1u);
}

TEST_F(ForeignBlocksTest, an_address_handed_out_while_alive_has_its_free_written_ahead) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    blocks.allocate(0x10, 9, 0, AllocationCall::malloc, first);
    EXPECT_EQ(builder.events(), 3u);
    const TraceSummary summary = finish();
    EXPECT_EQ(summary.frees, 1u);
    EXPECT_EQ(summary.missed_frees, 1u);
    EXPECT_EQ(summary.requested_live_bytes_at_end, 9u);
}

TEST_F(ForeignBlocksTest, a_free_that_comes_late_from_another_thread_is_the_one_written_ahead) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    blocks.allocate(0x10, 9, 0, AllocationCall::malloc, second);
    blocks.free(0x10, first);
    EXPECT_EQ(blocks.find(0x10)->size, 9u);
    EXPECT_EQ(blocks.counts().inversions, 1u);
    EXPECT_EQ(blocks.counts().missed_frees, 0u);
}

TEST_F(ForeignBlocksTest, a_free_by_the_thread_that_was_handed_the_address_is_its_own) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    blocks.allocate(0x10, 9, 0, AllocationCall::malloc, second);
    blocks.free(0x10, second);
    EXPECT_EQ(blocks.find(0x10), nullptr);
    EXPECT_EQ(blocks.counts().inversions, 0u);
    EXPECT_EQ(blocks.counts().missed_frees, 1u);
}

TEST_F(ForeignBlocksTest, a_free_of_what_holds_nothing_is_counted_and_left_out) {
    blocks.free(0x10, first);
    EXPECT_EQ(blocks.counts().unknown_frees, 1u);
    EXPECT_EQ(builder.events(), 0u);
}

TEST_F(ForeignBlocksTest, a_reallocation_keeps_its_object_wherever_it_moves) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    blocks.reallocate(0x10, 0x20, 80, second);
    EXPECT_EQ(blocks.find(0x10), nullptr);
    EXPECT_EQ(blocks.find(0x20)->object, 0u);
    EXPECT_EQ(blocks.find(0x20)->size, 80u);
}

TEST_F(ForeignBlocksTest, reallocations_have_the_meanings_of_c) {
    blocks.reallocate(0, 0x10, 8, first);    // allocates
    blocks.reallocate(0x10, 0, 1000, first); // fails
    EXPECT_EQ(blocks.find(0x10)->size, 8u);
    blocks.reallocate(0x10, 0, 0, first); // frees
    EXPECT_EQ(blocks.find(0x10), nullptr);
    blocks.reallocate(0, 0, 8, first);       // fails
    blocks.reallocate(0x30, 0x40, 5, first); // of an unknown block: an allocation
    const TraceSummary summary = finish();
    EXPECT_EQ(summary.allocations, 2u);
    EXPECT_EQ(summary.failed_calls, 2u);
    EXPECT_EQ(summary.frees, 1u);
    EXPECT_EQ(blocks.counts().unknown_reallocations, 1u);
}

TEST_F(ForeignBlocksTest, an_old_address_may_be_handed_out_before_its_realloc_returns) {
    blocks.allocate(0x10, 8, 0, AllocationCall::malloc, first);
    const auto begun = blocks.begin_reallocation(0x10);
    blocks.allocate(0x10, 9, 0, AllocationCall::malloc, second);
    blocks.end_reallocation(begun, 0x20, 80, first);
    EXPECT_EQ(blocks.find(0x20)->object, 0u);
    EXPECT_EQ(blocks.find(0x10)->object, 1u);
    EXPECT_EQ(blocks.counts().missed_frees, 0u);
}

TEST_F(ForeignBlocksTest, alignments_are_rounded_up_to_powers_of_two) {
    blocks.allocate(0x40, 8, 48, AllocationCall::memalign, first);
    blocks.allocate(0x80, 8, 64, AllocationCall::memalign, first);
    blocks.allocate(0xc0, 8, 0, AllocationCall::memalign, first);
    EXPECT_EQ(blocks.counts().rounded_alignments, 1u);
    finish();
    TraceReader reader(folder.file("t.alloctrace"));
    const ChunkColumns columns = reader.read_chunk(0);
    std::vector<std::uint8_t> alignments;
    columns.visit([&](const Event& event) { alignments.push_back(event.alignment_log2); });
    EXPECT_EQ(alignments, (std::vector<std::uint8_t>{6, 6, 0}));
}

TEST_F(ForeignBlocksTest, a_size_no_trace_can_say_is_cut_where_the_call_failed) {
    blocks.allocate_failed(~std::uint64_t{0}, 0, AllocationCall::malloc, first);
    blocks.allocate_array(0, std::uint64_t{1} << 40, std::uint64_t{1} << 40, first);
    EXPECT_EQ(blocks.counts().cut_sizes, 2u);
    EXPECT_THROW(blocks.allocate_array(0x10, std::uint64_t{1} << 40, std::uint64_t{1} << 40, first),
                 TraceError);
    EXPECT_THROW(blocks.allocate(0x10, ~std::uint64_t{0}, 0, AllocationCall::malloc, first),
                 TraceError);
}

TEST_F(ForeignBlocksTest, an_alignment_no_trace_can_say_is_cut_where_the_call_failed) {
    blocks.allocate_failed(8, ~std::uint64_t{0}, AllocationCall::posix_memalign, first);
    EXPECT_EQ(blocks.counts().cut_alignments, 1u);
    EXPECT_EQ(blocks.counts().rounded_alignments, 0u);
    EXPECT_THROW(blocks.allocate(0x10, 8, ~std::uint64_t{0}, AllocationCall::memalign, first),
                 TraceError);
}

TEST_F(ForeignBlocksTest, addresses_that_fill_one_place_of_a_plain_map_are_told_apart) {
    constexpr std::uint64_t count = 1 << 16;
    for (std::uint64_t index = 1; index < count; ++index) {
        blocks.allocate(index << 48, index, 0, AllocationCall::malloc, first);
    }
    EXPECT_EQ(builder.live_objects(), count - 1);
    for (std::uint64_t index = 1; index < count; ++index) {
        ASSERT_EQ(blocks.find(index << 48)->size, index);
        blocks.free(index << 48, first);
    }
    EXPECT_EQ(builder.live_objects(), 0u);
}

} // namespace

} // namespace alloclab::test
