// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/session.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

namespace {

constexpr std::uint64_t mib = 1 << 20;

std::filesystem::path ramp(const TemporaryFolder& folder) {
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 64; ++object) {
        events.push_back(allocate(mib));
    }
    for (std::uint64_t object = 0; object < 64; ++object) {
        events.push_back(free_of(object));
    }
    return write_trace(folder, events);
}

SessionConfig config_for(const std::filesystem::path& trace, std::string_view heap,
                         Measure measure) {
    SessionConfig config;
    config.trace = trace.string();
    config.kernel.heap = heap;
    config.kernel.measure = measure;
    return config;
}

} // namespace

// Row Q35: what is measured is the peak of this process alone.
TEST(Session, the_timeline_follows_what_is_live) {
    const TemporaryFolder folder;
    const SessionResult result = run_session(config_for(ramp(folder), "arena", Measure::timeline));
    EXPECT_EQ(result.replayed_events, 128u);
    EXPECT_EQ(result.peak_requested_live_bytes, 64 * mib);
    EXPECT_EQ(result.peak_requested_event, 63u);
    ASSERT_FALSE(result.timeline.empty());
    EXPECT_EQ(result.timeline.back().event, 128u);
    EXPECT_EQ(result.timeline.back().requested_live_bytes, 0u);
    EXPECT_EQ(result.timeline.back().allocated_bytes, 64 * mib);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// An arena touched by the page holds what was requested, and keeps it: 64 MiB and little more.
TEST(Session, the_peak_is_the_anonymous_memory_the_replay_made_resident) {
    const TemporaryFolder folder;
    const SessionResult result = run_session(config_for(ramp(folder), "arena", Measure::time));
    const std::uint64_t grown = result.anonymous_peak_bytes - result.anonymous_start_bytes;
    EXPECT_GE(grown, 64 * mib);
    EXPECT_LE(grown, 65 * mib);
    EXPECT_GE(result.page_faults, 64u * 256);
}

// What is live within the first batch has been given back when the later ones begin.
TEST(Session, the_peak_of_many_batches_is_the_highest_of_them) {
    const TemporaryFolder folder;
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 128; ++object) {
        events.push_back(allocate(object < 64 ? mib : 64));
        if (object == 63) {
            for (std::uint64_t freed = 0; freed < 64; ++freed) {
                events.push_back(free_of(freed));
            }
        }
    }
    constexpr std::size_t chunk_events = 32;
    const auto trace = write_trace(folder, events, chunk_events);
    SessionConfig config = config_for(trace, "malloc", Measure::time);
    config.batch_events = 128;
    const SessionResult result = run_session(config);
    EXPECT_EQ(result.anonymous_peak_doubt, "");
    const std::uint64_t grown = result.anonymous_peak_bytes - result.anonymous_start_bytes;
    EXPECT_GE(grown, 63 * mib); // the kernel counts pages some late
    EXPECT_LE(grown, 66 * mib);
    EXPECT_LT(result.anonymous_end_bytes, result.anonymous_start_bytes + 32 * mib);
}

TEST(Session, without_touching_nothing_becomes_resident) {
    const TemporaryFolder folder;
    SessionConfig config = config_for(ramp(folder), "arena", Measure::time);
    config.kernel.touch = Touch::none;
    const SessionResult result = run_session(config);
    EXPECT_LE(result.anonymous_peak_bytes - result.anonymous_start_bytes, mib);
}
#endif

TEST(Session, stops_after_the_events_asked_for) {
    const TemporaryFolder folder;
    SessionConfig config = config_for(ramp(folder), "malloc", Measure::time);
    config.stop_after_events = 10;
    EXPECT_EQ(run_session(config).replayed_events, 10u);
}

TEST(Session, a_trace_without_events_is_replayed_without_complaint) {
    const TemporaryFolder folder;
    const SessionResult result =
        run_session(config_for(write_trace(folder, {}), "malloc", Measure::time));
    EXPECT_EQ(result.replayed_events, 0u);
    EXPECT_EQ(result.cpu_ns, 0u);
}

TEST(Session, a_damaged_trace_is_an_error) {
    const TemporaryFolder folder;
    EXPECT_THROW(run_session(config_for(folder.file("none"), "malloc", Measure::time)),
                 SystemError);
}

} // namespace alloclab
