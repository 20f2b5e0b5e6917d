// SPDX-License-Identifier: MIT
#include <alloclab/trace/builder.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>

#include "support/trace_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace alloclab::test {

namespace {

constexpr std::uint64_t largest_size = (std::uint64_t{1} << 62) - 1;

Event event(EventKind kind, std::uint64_t object, std::uint64_t size = 0) {
    return {.code = static_cast<std::uint8_t>(kind), .object = object, .size = size};
}

class TraceBuilderTest : public testing::Test {
protected:
    void append(EventKind kind, std::uint64_t object, std::uint64_t size = 0) {
        builder.append(event(kind, object, size), 0);
    }

    TemporaryFolder folder;
    TraceBuilder builder{folder.file("t.alloctrace"), {.level = 1}};
};

TEST_F(TraceBuilderTest, the_summary_is_counted_on_the_way) {
    append(EventKind::allocate, 0, 100);
    append(EventKind::reallocate, 0, 30);
    append(EventKind::allocate, 1, 8);
    append(EventKind::free, 0);
    const TraceSummary summary = builder.finish({}, "{}");
    EXPECT_EQ(summary.requested_total_bytes, 100u + 30u + 8u);
    EXPECT_EQ(summary.peak_requested_live_bytes, 100u);
    EXPECT_EQ(summary.peak_requested_event, 0u);
    EXPECT_EQ(summary.requested_live_bytes_at_end, 8u);
    EXPECT_EQ(TraceReader(folder.file("t.alloctrace")).summary().events, 4u);
}

TEST_F(TraceBuilderTest, an_event_that_names_what_has_ended_is_refused) {
    append(EventKind::allocate, 0, 8);
    append(EventKind::free, 0);
    EXPECT_THROW(append(EventKind::free, 0), TraceError);
    EXPECT_THROW(append(EventKind::unmap, 0), TraceError);
    EXPECT_THROW(append(EventKind::free, 1), TraceError);
    EXPECT_EQ(builder.events(), 2u);
}

TEST_F(TraceBuilderTest, sizes_that_no_sum_holds_are_refused) {
    append(EventKind::allocate, 0, largest_size);
    append(EventKind::allocate, 1, largest_size); // together 2^63 - 2
    EXPECT_THROW(append(EventKind::allocate, 2, 2), TraceError);
    EXPECT_THROW(append(EventKind::reallocate, 0, 2), TraceError);
    append(EventKind::reallocate, 0, 1);
    EXPECT_EQ(builder.finish({}, "{}").requested_total_bytes, 2 * largest_size + 1);
}

TEST_F(TraceBuilderTest, regions_that_no_sum_holds_are_refused) {
    append(EventKind::map, 0, largest_size);
    append(EventKind::map, 1, largest_size);
    EXPECT_THROW(append(EventKind::map, 2, 2), TraceError);
    append(EventKind::remap, 0, 1);
    append(EventKind::map, 2, largest_size);
    EXPECT_EQ(builder.finish({}, "{}").peak_mapped_live_bytes, 2 * largest_size + 1);
}

TEST_F(TraceBuilderTest, a_touched_row_of_no_event_is_refused_and_leaves_no_trace) {
    append(EventKind::allocate, 0, 1 << 20);
    builder.set_touched({{.event = 1, .pages = 4}});
    EXPECT_THROW(builder.finish({}, "{}"), TraceError);
    EXPECT_FALSE(std::filesystem::exists(folder.file("t.alloctrace")));
}

TEST_F(TraceBuilderTest, a_touched_row_with_more_resident_than_it_has_is_refused) {
    EXPECT_THROW(builder.set_touched({{.event = 0, .pages = 4, .resident_at_birth = 5}}), Error);
    EXPECT_THROW(builder.set_touched({{.event = 0, .pages = 4, .resident_at_death = 5}}), Error);
    EXPECT_THROW(builder.set_touched({{.event = 1, .pages = 4}, {.event = 0, .pages = 4}}), Error);
}

} // namespace

} // namespace alloclab::test
