// SPDX-License-Identifier: MIT
#include "support/random_threads.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/session.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

namespace {

SessionConfig parallel(const std::filesystem::path& trace, Measure measure = Measure::check) {
    SessionConfig config;
    config.trace = trace.string();
    config.order = ReplayOrder::parallel;
    config.kernel.heap = "malloc";
    config.kernel.measure = measure;
    return config;
}

SessionResult check(const std::vector<Event>& events, std::uint64_t max_distance = 1000) {
    const TemporaryFolder folder;
    SessionConfig config = parallel(write_trace(folder, events));
    config.max_distance = max_distance;
    const SessionResult result = run_session(config);
    EXPECT_EQ(result.counts.damaged_blocks, 0u);
    EXPECT_EQ(result.counts.misaligned_blocks, 0u);
    EXPECT_EQ(result.counts.failed_allocations, 0u);
    return result;
}

} // namespace

TEST(Parallel, a_block_is_freed_by_another_thread) {
    const SessionResult result = check({on(7, allocate(40)), on(9, free_of(0))});
    EXPECT_EQ(result.crew.threads, 2u);
    EXPECT_EQ(result.counts.checked_blocks, 1u);
    EXPECT_EQ(result.replayed_events, 2u);
    EXPECT_EQ(result.longest_chain_ops, 2u);
}

TEST(Parallel, a_block_is_made_larger_by_two_threads_in_turn) {
    std::vector<Event> events{on(0, allocate(8))};
    for (std::uint32_t round = 1; round <= 2000; ++round) {
        events.push_back(on(round % 2, event_of(EventKind::reallocate, 0, 8 + round)));
    }
    events.push_back(on(0, free_of(0)));
    const SessionResult result = check(events);
    EXPECT_EQ(result.counts.checked_blocks, 2001u);
    EXPECT_EQ(result.longest_chain_ops, 2002u);
}

TEST(Parallel, a_thread_may_start_late_and_free_what_stands) {
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 3000; ++object) {
        events.push_back(on(0, allocate(32)));
    }
    for (std::uint64_t object = 0; object < 3000; ++object) {
        events.push_back(on(1, free_of(object)));
    }
    const SessionResult result = check(events);
    EXPECT_EQ(result.counts.checked_blocks, 3000u);
    EXPECT_EQ(result.longest_chain_ops, 6000u); // it starts when all before is done
}

TEST(Parallel, independent_threads_make_no_chain) {
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 1000; ++object) {
        events.push_back(on(object % 2, allocate(32)));
    }
    const SessionResult result = check(events);
    EXPECT_EQ(result.ordered_ops, 1000u);
    EXPECT_EQ(result.longest_chain_ops, 501u); // the second thread starts after one op
}

TEST(Parallel, hundreds_of_short_threads_come_and_go) {
    std::vector<Event> events;
    for (std::uint32_t thread = 0; thread < 700; ++thread) {
        events.push_back(on(thread, allocate(64)));
        if (thread > 0) {
            events.push_back(on(thread, free_of(thread - 1)));
        }
    }
    const SessionResult result = check(events);
    EXPECT_EQ(result.crew.threads, 700u);
    EXPECT_EQ(result.counts.checked_blocks, 699u);
}

TEST(Parallel, threads_without_calls_are_started_and_end) {
    const SessionResult result =
        check({on(5, event_of(EventKind::thread_start)), on(6, event_of(EventKind::thread_start)),
               on(7, allocate(8)), on(6, event_of(EventKind::thread_exit)),
               on(8, event_of(EventKind::thread_start)), on(5, free_of(0))});
    EXPECT_EQ(result.crew.threads, 4u);
    EXPECT_EQ(result.counts.checked_blocks, 1u);
}

TEST(Parallel, an_empty_trace_is_replayed) {
    const SessionResult result = check({});
    EXPECT_EQ(result.events, 0u);
}

TEST(Parallel, whatever_threads_do_fifty_replays_end_undamaged) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(seed);
        const std::uint64_t distances[] = {0, 1, 2, 40, 1000, std::uint64_t{1} << 16};
        check(random_thread_events(seed, 2 + seed % 9, 3000), distances[seed % 6]);
    }
}

TEST(Parallel, threads_meet_between_batches) {
    const TemporaryFolder folder;
    const auto trace = write_trace(folder, random_thread_events(3, 6, 4000), 256);
    SessionConfig config = parallel(trace);
    config.batch_events = 256;
    config.is_mapped = true;
    const SessionResult result = run_session(config);
    EXPECT_EQ(result.events, 4000u);
    EXPECT_EQ(result.counts.damaged_blocks, 0u);
    SessionConfig exact = config;
    exact.order = ReplayOrder::exact;
    EXPECT_EQ(result.counts.checked_blocks, run_session(exact).counts.checked_blocks);
}

TEST(Parallel, a_damaged_later_batch_ends_the_threads) {
    const TemporaryFolder folder;
    std::vector<Event> events = random_thread_events(4, 4, 1000);
    std::uint64_t objects = 0;
    for (const Event& event : events) {
        objects += operands_of(event.code).creates_object;
    }
    events.push_back(on(0, allocate(8)));
    events.push_back(on(0, free_of(objects)));
    events.push_back(on(0, free_of(objects))); // twice
    SessionConfig config = parallel(write_trace(folder, events, 256));
    config.batch_events = 256;
    EXPECT_THROW(run_session(config), TraceError);
}

TEST(Parallel, the_timeline_is_cut_where_the_exact_one_is) {
    const TemporaryFolder folder;
    SessionConfig config =
        parallel(write_trace(folder, random_thread_events(5, 4, 3000)), Measure::timeline);
    config.samples = 20;
    const SessionResult result = run_session(config);
    config.order = ReplayOrder::exact;
    const SessionResult exact = run_session(config);
    ASSERT_EQ(result.timeline.size(), exact.timeline.size());
    for (std::size_t row = 0; row < exact.timeline.size(); ++row) {
        EXPECT_EQ(result.timeline[row].event, exact.timeline[row].event);
        EXPECT_EQ(result.timeline[row].requested_live_bytes,
                  exact.timeline[row].requested_live_bytes);
        EXPECT_GT(result.timeline[row].anonymous_bytes, 0u);
    }
}

TEST(Parallel, a_heap_for_one_thread_is_refused) {
    const TemporaryFolder folder;
    SessionConfig config = parallel(write_trace(folder, {on(0, allocate(8))}));
    config.kernel.heap = "pool";
    EXPECT_THROW(run_session(config), NotMeasuredError);
    config.kernel.heap = "composed";
    config.kernel.spec = R"({"allocator": "pool"})";
    EXPECT_THROW(run_session(config), NotMeasuredError);
}

TEST(Parallel, a_locked_and_a_thread_local_stack_are_shared) {
    const TemporaryFolder folder;
    SessionConfig config = parallel(write_trace(folder, random_thread_events(6, 5, 4000)));
    config.kernel.heap = "composed";
    for (const char* spec :
         {R"({"allocator": "locked", "children": {"upstream": {"allocator": "pool"}}})",
          R"({"allocator": "thread_local", "children": {"upstream": {"allocator": "pool"}}})"}) {
        config.kernel.spec = spec;
        const SessionResult result = run_session(config);
        EXPECT_EQ(result.counts.damaged_blocks, 0u);
        EXPECT_GT(result.counts.checked_blocks, 1000u);
    }
}

TEST(Parallel, sizes_and_places_are_for_exact_order) {
    const TemporaryFolder folder;
    const auto trace = write_trace(folder, {on(0, allocate(8))});
    EXPECT_THROW(run_session(parallel(trace, Measure::blocks)), NotMeasuredError);
    EXPECT_THROW(run_session(parallel(trace, Measure::placement)), NotMeasuredError);
}

TEST(Parallel, too_many_threads_at_once_are_refused) {
    const TemporaryFolder folder;
    std::vector<Event> events;
    for (std::uint32_t round = 0; round < 2; ++round) {
        for (std::uint32_t thread = 0; thread <= ThreadSpans::max_threads_at_once; ++thread) {
            events.push_back(on(thread, allocate(8)));
        }
    }
    EXPECT_THROW(run_session(parallel(write_trace(folder, events))), NotMeasuredError);
}

} // namespace alloclab
