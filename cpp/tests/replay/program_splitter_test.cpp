// SPDX-License-Identifier: MIT
#include "support/random_threads.hpp"

#include <alloclab/replay/milestone.hpp>
#include <alloclab/replay/program_builder.hpp>
#include <alloclab/replay/program_splitter.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

namespace alloclab {

using namespace test;

namespace {

// A trace split as one batch.
struct Split {
    Split(const std::vector<Event>& events, std::uint64_t max_distance)
        : reader(write_trace(folder, events)), spans(reader, ~std::uint64_t{0}),
          builder(reader, {.has_threads = true}), splitter(spans, max_distance) {
        builder.next(program);
        splitter.split(program, batch);
    }

    TemporaryFolder folder;
    TraceReader reader;
    ThreadSpans spans;
    ProgramBuilder builder;
    ProgramSplitter splitter;
    Program program;
    ParallelBatch batch;
};

// Runs a batch one op at a time, always of the thread that may go on and has gone farthest or least
// far; returns by how many epochs threads ever were apart, or -1 where none could go on.
long widest_run(const ParallelBatch& batch, bool is_farthest_first) {
    std::vector<std::size_t> next(batch.threads.size(), 0);
    std::vector<std::uint32_t> epoch;
    for (const ThreadOps& thread : batch.threads) {
        epoch.push_back(thread.ops.empty() ? Milestone::end : thread.first_epoch);
    }
    const auto is_done = [&](std::size_t thread) {
        return next[thread] == batch.threads[thread].ops.size();
    };
    const auto next_op = [&](std::size_t thread) {
        return batch.threads[thread].ops[next[thread]];
    };
    const auto is_epoch = [](const Op& op) {
        return op.code() == OpCode::control &&
               static_cast<ControlCode>(op.size()) == ControlCode::epoch;
    };
    const auto may_go_on = [&](std::size_t thread) {
        const Op op = next_op(thread);
        if (op.code() == OpCode::wait) {
            return next[op.size()] >= op.slot;
        }
        return !is_epoch(op) ||
               *std::min_element(epoch.begin(), epoch.end()) >= batch.floors[op.slot];
    };
    long widest = 0;
    for (;;) {
        std::size_t chosen = next.size();
        bool are_all_done = true;
        for (std::size_t thread = 0; thread < next.size(); ++thread) {
            if (!is_done(thread) && is_epoch(next_op(thread))) {
                epoch[thread] = next_op(thread).slot;
            }
        }
        for (std::size_t thread = 0; thread < next.size(); ++thread) {
            if (is_done(thread)) {
                continue;
            }
            are_all_done = false;
            if (may_go_on(thread) &&
                (chosen == next.size() || (epoch[thread] > epoch[chosen]) == is_farthest_first)) {
                chosen = thread;
            }
        }
        if (chosen == next.size()) {
            return are_all_done ? widest : -1;
        }
        const std::uint32_t behind = *std::min_element(epoch.begin(), epoch.end());
        widest = std::max(widest, long{epoch[chosen]} - long{behind});
        if (++next[chosen] == batch.threads[chosen].ops.size()) {
            epoch[chosen] = Milestone::end;
        }
    }
}

} // namespace

TEST(ProgramSplitter, a_wait_names_the_op_that_touched_the_object_last) {
    const Split split({on(3, allocate(16)), on(3, allocate(16)), on(4, free_of(0))}, 1000);
    const std::vector<Op>& first = split.batch.threads[0].ops;
    const std::vector<Op>& second = split.batch.threads[1].ops;
    ASSERT_EQ(first.size(), 4u); // epoch, two allocations, the start of the other
    EXPECT_NE(first[1].slot & Op::awaited, 0u);
    EXPECT_EQ(first[2].slot & Op::awaited, 0u);
    EXPECT_EQ(static_cast<ControlCode>(first[3].size()), ControlCode::start);
    ASSERT_EQ(second.size(), 3u); // epoch, wait, free
    EXPECT_EQ(second[1].code(), OpCode::wait);
    EXPECT_EQ(second[1].size(), 0u);
    EXPECT_EQ(second[1].slot, 2u);
}

TEST(ProgramSplitter, a_thread_waits_once_for_what_it_has_seen) {
    const Split split(
        {on(0, allocate(16)), on(0, allocate(16)), on(1, free_of(1)), on(1, free_of(0))}, 1000);
    const auto& ops = split.batch.threads[1].ops;
    EXPECT_EQ(std::count_if(ops.begin(), ops.end(),
                            [](const Op& op) { return op.code() == OpCode::wait; }),
              1);
}

// A slot another thread freed is used again only when that is done for certain.
TEST(ProgramSplitter, slots_stay_few_within_the_distance_and_come_back) {
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 20'000; ++object) {
        events.push_back(on(0, allocate(16)));
        events.push_back(on(1, free_of(object)));
    }
    EXPECT_LE(Split(events, 1000).splitter.slots(), 1000u);
    EXPECT_GE(Split(events, 100'000).splitter.slots(), 20'000u);
}

TEST(ProgramSplitter, a_distance_of_one_keeps_threads_an_op_apart) {
    const Split split(random_thread_events(1, 5, 2000), 1);
    for (const bool is_farthest_first : {true, false}) {
        const long widest = widest_run(split.batch, is_farthest_first);
        EXPECT_GE(widest, 0);
        EXPECT_LE(widest, 1);
    }
}

TEST(ProgramSplitter, no_choice_of_threads_gets_stuck) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const Split split(random_thread_events(seed, 7, 1500), seed * 7);
        EXPECT_GE(widest_run(split.batch, seed % 2 == 0), 0) << seed;
    }
}

} // namespace alloclab
