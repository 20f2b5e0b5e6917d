// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/scopes.hpp>
#include <alloclab/trace/tables.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

namespace {

Event enter(std::uint64_t instance, std::uint64_t kind, std::uint64_t name,
            std::uint32_t thread = 0) {
    Event event = event_of(EventKind::scope_enter, 0, 0, instance);
    event.values[1] = kind;
    event.values[2] = name;
    event.thread = thread;
    return event;
}

Event leave(std::uint64_t instance, std::uint32_t thread = 0) {
    Event event = event_of(EventKind::scope_exit, 0, 0, instance);
    event.thread = thread;
    return event;
}

Event allocate_by(std::uint32_t thread, std::uint32_t site = 0, std::uint32_t tag = 0) {
    Event event = allocate(8);
    event.thread = thread;
    event.site = site;
    event.tag = tag;
    return event;
}

// Names: phase, parse, function, main; two stacks: main alone, and what it called.
void name_all(TraceWriter& writer, TraceSummary&) {
    for (const char* const name : {"phase", "parse", "function", "main"}) {
        writer.intern(name);
    }
    StackFrame main;
    main.function = 3;
    StackFrame called;
    called.offset = 0x40;
    writer.set_stacks({{0, 1}, {{0, 0}, {1, 1}}, {main, called}});
}

TraceReader read(const TemporaryFolder& folder, const std::vector<Event>& events,
                 std::size_t chunk_events = trace_format::default_chunk_events) {
    return TraceReader(write_trace(folder, events, chunk_events, name_all));
}

} // namespace

TEST(ScopeTable, has_parents_and_ends_across_chunks) {
    const TemporaryFolder folder;
    TraceReader reader = read(
        folder, {enter(0, 0, 1), allocate(1), enter(1, 2, 3), allocate(2), leave(1), leave(0)}, 2);
    const ScopeTable table = read_scope_table(reader);
    EXPECT_EQ(table.kind, (std::vector<std::uint64_t>{0, 2}));
    EXPECT_EQ(table.name, (std::vector<std::uint64_t>{1, 3}));
    EXPECT_EQ(table.parent, (std::vector<std::int32_t>{-1, 0}));
    EXPECT_EQ(table.enter, (std::vector<std::int64_t>{0, 2}));
    EXPECT_EQ(table.exit, (std::vector<std::int64_t>{5, 4}));
    EXPECT_EQ(read_object_table(reader).scope, (std::vector<std::int32_t>{0, 1}));
}

TEST(ScopeTable, threads_have_scopes_of_their_own) {
    const TemporaryFolder folder;
    TraceReader reader =
        read(folder, {enter(0, 0, 1), enter(1, 2, 3, 1), allocate_by(0), allocate_by(1),
                      allocate_by(2), leave(0), allocate_by(0), allocate_by(1)});
    EXPECT_EQ(read_scope_table(reader).parent, (std::vector<std::int32_t>{-1, -1}));
    EXPECT_EQ(read_scope_table(reader).exit, (std::vector<std::int64_t>{5, ScopeTable::open}));
    EXPECT_EQ(read_object_table(reader).scope, (std::vector<std::int32_t>{0, 1, -1, -1, 1}));
}

TEST(ScopeTable, an_outer_scope_left_first_leaves_the_inner_one_open) {
    const TemporaryFolder folder;
    TraceReader reader = read(folder, {enter(0, 0, 1), enter(1, 0, 1), leave(0), allocate_by(0),
                                       leave(1), leave(1), allocate_by(0)});
    EXPECT_EQ(read_object_table(reader).scope, (std::vector<std::int32_t>{1, -1}));
}

TEST(ScopeTable, a_scope_left_by_another_thread_ends_on_its_own) {
    const TemporaryFolder folder;
    TraceReader reader =
        read(folder, {enter(0, 0, 1), allocate_by(0), leave(0, 3), allocate_by(0)});
    EXPECT_EQ(read_object_table(reader).scope, (std::vector<std::int32_t>{0, -1}));
}

TEST(ScopeTable, a_name_that_does_not_exist_is_an_error) {
    const TemporaryFolder folder;
    TraceReader reader = read(folder, {enter(0, 0, 99)});
    EXPECT_THROW(read_scope_table(reader), TraceError);
}

TEST(MarkTable, has_a_row_a_mark_with_its_time) {
    const TemporaryFolder folder;
    TraceReader reader = read(folder, {allocate(1), event_of(EventKind::mark, 0, 0, 3)});
    const MarkTable table = read_mark_table(reader);
    EXPECT_EQ(table.event, (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(table.name, (std::vector<std::uint64_t>{3}));
}

TEST(Sites, are_those_of_the_calls_that_allocate_in_every_chunk) {
    const TemporaryFolder folder;
    std::vector<Event> events{allocate_by(0)};
    std::vector<std::int32_t> expected{-1};
    for (std::uint32_t index = 0; index < 50; ++index) {
        events.push_back(allocate_by(index % 2, index * index % 3, index / 20 % 3));
        expected.push_back(static_cast<std::int32_t>(index * index % 3) - 1);
        events.push_back(free_of(index));
    }
    TraceReader reader = read(folder, events, 16);
    const ObjectTable table = read_object_table(reader);
    EXPECT_EQ(table.site, expected);
    EXPECT_EQ(table.tag[10], -1);
    EXPECT_EQ(table.tag[30], 0);
    const EventColumns columns = read_event_columns(reader, 1);
    EXPECT_EQ(columns.site[1], static_cast<std::uint32_t>(expected[8 + 1] + 1));
}

TEST(Sites, one_that_no_stack_has_is_an_error) {
    const TemporaryFolder folder;
    TraceReader reader = read(folder, {allocate_by(0, 7)});
    EXPECT_THROW(read_object_table(reader), TraceError);
}

TEST(Sites, stacks_come_back_as_they_were_written) {
    const TemporaryFolder folder;
    const TraceReader reader = read(folder, {allocate_by(0, 2)});
    const StackTable& table = reader.stacks();
    EXPECT_EQ(table.stacks, (std::vector<std::uint32_t>{0, 1}));
    EXPECT_EQ(table.nodes[1].parent, 1u);
    EXPECT_EQ(table.frames[0].function, 3u);
    EXPECT_EQ(table.frames[0].file, StackFrame::unknown);
    EXPECT_EQ(table.frames[1].offset, 0x40u);
}

} // namespace alloclab
