// SPDX-License-Identifier: MIT
#pragma once

#include "support/trace_file.hpp"

#include <alloclab/base/rng.hpp>

#include <cstdint>
#include <vector>

namespace alloclab::test {

inline Event on(std::uint32_t thread, Event event) {
    event.thread = thread;
    return event;
}

// `count` events of `threads` threads with whatever ids, each by a thread of its own choice: most
// objects are freed or made larger by others than who allocated them, and regions change hands.
inline std::vector<Event> random_thread_events(std::uint64_t seed, std::uint32_t threads,
                                               std::size_t count) {
    Rng rng(seed);
    std::vector<Event> events;
    std::vector<std::uint64_t> blocks;
    std::vector<std::uint64_t> regions;
    std::uint64_t objects = 0;
    while (events.size() < count) {
        const auto thread = static_cast<std::uint32_t>(rng.next() % threads) * 1'000'003u;
        const std::uint64_t choice = rng.next() % 100;
        const auto pick = [&](std::vector<std::uint64_t>& from) {
            std::swap(from[rng.next() % from.size()], from.back());
            return from.back();
        };
        if (choice < 45 || blocks.empty()) {
            blocks.push_back(objects++);
            events.push_back(on(thread, allocate(rng.next() % (choice == 0 ? 200'000 : 600),
                                                 static_cast<std::uint8_t>(choice % 2))));
        } else if (choice < 80) {
            events.push_back(on(thread, free_of(pick(blocks))));
            blocks.pop_back();
        } else if (choice < 92) {
            events.push_back(
                on(thread, event_of(EventKind::reallocate, pick(blocks), 1 + rng.next() % 900)));
        } else if (choice < 95 || regions.empty()) {
            regions.push_back(objects++);
            events.push_back(on(thread, event_of(EventKind::map, 0, 16384)));
        } else if (choice < 97) {
            events.push_back(on(thread, event_of(EventKind::unmap, pick(regions))));
            regions.pop_back();
        } else {
            events.push_back(on(thread, event_of(choice == 97   ? EventKind::thread_start
                                                 : choice == 98 ? EventKind::thread_exit
                                                                : EventKind::free_null)));
        }
    }
    return events;
}

} // namespace alloclab::test
