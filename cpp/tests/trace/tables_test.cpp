// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/tables.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

TEST(ObjectTable, has_a_row_an_object_with_birth_death_and_sizes) {
    const TemporaryFolder folder;
    Event freed_elsewhere = free_of(1);
    freed_elsewhere.thread = 4;
    TraceReader reader(write_trace(folder, {allocate(10), allocate(20),
                                            event_of(EventKind::reallocate, 0, 50), freed_elsewhere,
                                            allocate(30), event_of(EventKind::reallocate, 0, 5)}));
    const ObjectTable table = read_object_table(reader);
    EXPECT_EQ(table.size, (std::vector<std::uint64_t>{10, 20, 30}));
    EXPECT_EQ(table.max_size, (std::vector<std::uint64_t>{50, 20, 30}));
    EXPECT_EQ(table.birth, (std::vector<std::int64_t>{0, 1, 4}));
    EXPECT_EQ(table.death, (std::vector<std::int64_t>{-1, 3, -1}));
    EXPECT_EQ(table.death_thread[1], 4u);
    EXPECT_EQ(table.reallocations, (std::vector<std::uint32_t>{2, 0, 0}));
}

TEST(ObjectTable, a_split_makes_the_upper_part_an_object) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(folder, {event_of(EventKind::map, 0, 8 << 20),
                                            event_of(EventKind::split, 0, 3 << 20),
                                            event_of(EventKind::unmap, 0)}));
    const ObjectTable table = read_object_table(reader);
    EXPECT_EQ(table.size, (std::vector<std::uint64_t>{8 << 20, 5 << 20}));
    EXPECT_EQ(table.is_region, (std::vector<std::uint8_t>{1, 1}));
    EXPECT_EQ(table.death, (std::vector<std::int64_t>{2, -1}));
}

// A region of 100, cut at 50, its lower part cut at 20 again.
TEST(ObjectTable, a_part_that_is_split_again_is_divided_by_its_own_size) {
    const TemporaryFolder folder;
    TraceReader reader(
        write_trace(folder, {event_of(EventKind::map, 0, 100), event_of(EventKind::split, 0, 50),
                             event_of(EventKind::split, 0, 20), event_of(EventKind::remap, 1, 70),
                             event_of(EventKind::split, 1, 60)}));
    const ObjectTable table = read_object_table(reader);
    EXPECT_EQ(table.size, (std::vector<std::uint64_t>{100, 50, 30, 10}));
    EXPECT_EQ(table.max_size[1], 70U);
}

TEST(EventColumns, show_calls_alignments_and_interpolated_times) {
    const TemporaryFolder folder;
    std::vector<Event> events(300, allocate(16, 1));
    events[3] = allocate(64, 5, 7);
    TraceReader reader(write_trace(folder, events));
    const EventColumns columns = read_event_columns(reader, 0);
    EXPECT_EQ(columns.call[0], 1);
    EXPECT_EQ(columns.alignment[3], 128u);
    EXPECT_EQ(columns.object[299], 299u);
    EXPECT_EQ(columns.time_ns[1], 20u); // between the stamps 10 and 2570
    EXPECT_EQ(columns.time_ns[256], 2570u);
}

TEST(FootprintTable, keeps_what_the_recorder_sampled) {
    const TemporaryFolder folder;
    Event sample = event_of(EventKind::footprint, 0, 0, 1 << 20);
    sample.values[1] = 4096;
    sample.values[2] = 77;
    TraceReader reader(write_trace(folder, {allocate(1), sample}));
    const FootprintTable table = read_footprint_table(reader);
    EXPECT_EQ(table.event, (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(table.anonymous_bytes, (std::vector<std::uint64_t>{1 << 20}));
    EXPECT_EQ(table.page_faults, (std::vector<std::uint64_t>{77}));
}

} // namespace alloclab
