// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/reader.hpp>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace alloclab {

// From a thread's first event to its last.
struct ThreadSpan {
    std::uint64_t first_event = 0;
    std::uint64_t last_event = 0;
};

// The threads of a trace, numbered in the order of their first events.
class ThreadSpans {
public:
    // More threads than this, in all or at once, are refused.
    static constexpr std::size_t max_threads = 65'536;
    static constexpr std::size_t max_threads_at_once = 1'024;

    // Looks at the first `stop_after_events` events.
    // Throws: TraceError, SystemError; NotMeasuredError for more threads than are replayed.
    // Cost: decodes the trace once.
    ThreadSpans(TraceReader& reader, std::uint64_t stop_after_events);

    std::uint32_t size() const { return static_cast<std::uint32_t>(spans_.size()); }
    const ThreadSpan& operator[](std::uint32_t thread) const { return spans_[thread]; }

    // The number of the thread recorded under `id`, which is in the trace.
    std::uint32_t number_of(std::uint32_t id) const { return numbers_.at(id); }

    // The threads in the order of their last events.
    const std::vector<std::uint32_t>& by_end() const { return by_end_; }

    // How many threads had ended before `event`: the first so many of by_end().
    std::uint32_t ended_before(std::uint64_t event) const;

    // How many threads live at once, where most do.
    std::uint32_t most_at_once() const { return most_at_once_; }

private:
    void note(std::uint32_t id, std::uint64_t event);

    std::unordered_map<std::uint32_t, std::uint32_t> numbers_;
    std::vector<ThreadSpan> spans_;
    std::vector<std::uint32_t> by_end_;
    std::uint32_t most_at_once_ = 0;
};

} // namespace alloclab
