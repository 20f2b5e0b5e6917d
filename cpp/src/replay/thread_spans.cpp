// SPDX-License-Identifier: MIT
#include <alloclab/replay/thread_spans.hpp>

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <numeric>
#include <string>

namespace alloclab {

ThreadSpans::ThreadSpans(TraceReader& reader, std::uint64_t stop_after_events) {
    std::uint64_t event_idx = 0;
    std::uint32_t running = 0;
    for (std::size_t chunk = 0; chunk < reader.chunks().size(); ++chunk) {
        if (event_idx >= stop_after_events) {
            break;
        }
        reader.read_chunk(chunk).visit([&](const Event& event) {
            if (event_idx >= stop_after_events) {
                return;
            }
            if (event_idx == 0 || event.thread != running) {
                if (event_idx != 0) {
                    note(running, event_idx - 1);
                }
                note(event.thread, event_idx);
                running = event.thread;
            }
            ++event_idx;
        });
    }
    if (event_idx != 0) {
        note(running, event_idx - 1);
    }
    by_end_.resize(spans_.size());
    std::iota(by_end_.begin(), by_end_.end(), 0u);
    std::sort(by_end_.begin(), by_end_.end(), [this](std::uint32_t left, std::uint32_t right) {
        return spans_[left].last_event < spans_[right].last_event;
    });
    for (std::uint32_t thread = 0; thread < size(); ++thread) {
        const std::uint32_t started = thread + 1;
        most_at_once_ =
            std::max(most_at_once_, started - ended_before(spans_[thread].first_event));
    }
    if (most_at_once_ > max_threads_at_once) {
        throw NotMeasuredError("the trace has " + std::to_string(most_at_once_) +
                               " threads at once; parallel order replays at most " +
                               std::to_string(max_threads_at_once));
    }
}

void ThreadSpans::note(std::uint32_t id, std::uint64_t event) {
    const auto [found, is_new] = numbers_.try_emplace(id, size());
    if (!is_new) {
        spans_[found->second].last_event = event;
        return;
    }
    if (spans_.size() == max_threads) {
        throw NotMeasuredError("the trace has more than " + std::to_string(max_threads) +
                               " threads, the most that parallel order replays");
    }
    spans_.push_back({event, event});
}

std::uint32_t ThreadSpans::ended_before(std::uint64_t event) const {
    const auto found = std::partition_point(
        by_end_.begin(), by_end_.end(),
        [&](std::uint32_t thread) { return spans_[thread].last_event < event; });
    return static_cast<std::uint32_t>(found - by_end_.begin());
}

} // namespace alloclab
