// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/program_builder.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

namespace {

// Decodes all of it into one program.
Program build(const std::vector<Event>& events, ProgramBuilder::Options options,
              const std::vector<Touched>& touched = {}) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(folder, events, 64, [&](TraceWriter& writer, auto& summary) {
        writer.set_touched(touched);
        summary.has_touched = !touched.empty();
    }));
    ProgramBuilder builder(reader, options);
    Program program;
    EXPECT_TRUE(builder.next(program));
    Program rest;
    EXPECT_FALSE(builder.next(rest));
    return program;
}

constexpr std::uint64_t mib = 1 << 20;

} // namespace

TEST(ProgramBuilder, small_events_become_one_op_each_with_slots_reused) {
    const Program program =
        build({allocate(24), allocate(48, 1), free_of(0), allocate(72),
               event_of(EventKind::reallocate, 1, 96), event_of(EventKind::free_null)},
              {});
    ASSERT_EQ(program.ops.size(), 6u);
    EXPECT_EQ(program.ops[1].code(), OpCode::allocate_zero);
    EXPECT_EQ(program.ops[1].size(), 48u);
    EXPECT_EQ(program.ops[2].slot, 0u);
    EXPECT_EQ(program.ops[3].slot, 0u); // the slot just freed
    EXPECT_EQ(program.ops[4].code(), OpCode::reallocate);
    EXPECT_EQ(program.ops[5].code(), OpCode::free_null);
}

TEST(ProgramBuilder, a_large_block_is_touched_as_far_as_was_recorded) {
    const Program program =
        build({allocate(8), allocate(8 * mib), event_of(EventKind::reallocate, 1, 16 * mib)}, {},
              {{1, 2048, 0, 3, true}, {2, 4096, 3, 7, false}});
    ASSERT_EQ(program.wide.size(), 2u);
    EXPECT_EQ(program.wide[0].touch_pages, 3u);
    EXPECT_TRUE(program.wide[0].is_prefix);
    EXPECT_EQ(program.wide[1].touch_pages, 7u);
    EXPECT_FALSE(program.wide[1].is_prefix);
}

TEST(ProgramBuilder, by_page_a_large_block_is_touched_whole) {
    const Program program =
        build({allocate(8 * mib)}, {.touch = Touch::page}, {{0, 2048, 0, 3, true}});
    EXPECT_EQ(program.wide[0].touch_pages, 2048u);
}

TEST(ProgramBuilder, a_trace_that_does_not_know_is_said_to_be_unknown) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(folder, {allocate(8)}));
    EXPECT_TRUE(ProgramBuilder(reader, {}).is_touch_unknown());
    EXPECT_FALSE(ProgramBuilder(reader, {.touch = Touch::page}).is_touch_unknown());
}

TEST(ProgramBuilder, peaks_are_those_of_the_trace) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(folder, {allocate(100), allocate(200), free_of(0), allocate(50),
                                            free_of(1), allocate(10)}));
    ProgramBuilder builder(reader, {});
    Program program;
    while (builder.next(program)) {
    }
    EXPECT_EQ(builder.peak_requested_live_bytes(), 300u);
    EXPECT_EQ(builder.peak_requested_event(), 1u);
}

TEST(ProgramBuilder, samples_stand_at_even_steps_and_at_new_peaks) {
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 100; ++object) {
        events.push_back(allocate(object == 37 ? 50 * mib : 16));
    }
    const Program program = build(events, {.samples = 10});
    bool has_peak = false;
    std::uint64_t last = 0;
    for (const SamplePoint& sample : program.samples) {
        has_peak |= sample.event == 38 && sample.requested_live_bytes > 50 * mib;
        EXPECT_GE(sample.event, last);
        last = sample.event;
    }
    EXPECT_TRUE(has_peak);
    EXPECT_EQ(last, 100u);
    EXPECT_GE(program.samples.size(), 10u);
    EXPECT_LE(program.samples.size(), 20u);
}

TEST(ProgramBuilder, regions_are_left_out_unless_asked_for) {
    const std::vector<Event> events{event_of(EventKind::map, 0, mib),
                                    event_of(EventKind::split, 0, mib / 2),
                                    event_of(EventKind::unmap, 0), allocate(8)};
    EXPECT_EQ(build(events, {}).ops.size(), 1u);
    const Program mapped = build(events, {.is_mapped = true});
    ASSERT_EQ(mapped.wide.size(), 3u);
    EXPECT_EQ(mapped.wide[1].offset, mib / 2);
    EXPECT_EQ(mapped.wide[2].old_size, mib / 2);
}

TEST(ProgramBuilder, events_that_contradict_each_other_are_errors) {
    const std::vector<std::vector<Event>> hostile{
        {allocate(8), free_of(0), free_of(0)},
        {event_of(EventKind::map, 0, mib), free_of(0)},
        {allocate(8), event_of(EventKind::unmap, 0)},
        {allocate(8), free_of(0), event_of(EventKind::reallocate, 0, 16)},
        {event_of(EventKind::map, 0, mib), event_of(EventKind::split, 0, mib)},
        {event_of(EventKind::map, 0, mib), event_of(EventKind::discard, 0, mib, mib)},
    };
    const TemporaryFolder folder;
    for (const auto& events : hostile) {
        TraceReader reader(write_trace(folder, events));
        ProgramBuilder builder(reader, {.is_mapped = true});
        Program program;
        EXPECT_THROW(builder.next(program), TraceError);
    }
}

TEST(ProgramBuilder, batches_split_a_trace_without_changing_it) {
    const TemporaryFolder folder;
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 500; ++object) {
        events.push_back(allocate(object));
    }
    TraceReader reader(write_trace(folder, events, 64));
    ProgramBuilder builder(reader, {.batch_events = 128});
    Program program;
    std::vector<std::uint64_t> sizes;
    std::size_t batches = 0;
    while (builder.next(program)) {
        ++batches;
        for (const Op& op : program.ops) {
            sizes.push_back(op.size());
        }
    }
    EXPECT_EQ(batches, 4u);
    ASSERT_EQ(sizes.size(), 500u);
    EXPECT_EQ(sizes[499], 499u);
}

} // namespace alloclab
