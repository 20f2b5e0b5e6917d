// SPDX-License-Identifier: MIT
#pragma once

// Where allocations come from. Each thread numbers the frames of its stacks and finds the number of
// a stack seen before by one lookup; a new one is told in the thread's lane, its outermost frames
// first.

#include <alloclab/record/lane.hpp>
#include <alloclab/record/unwind.hpp>

#include <cstdint>

namespace alloclab::record {

// How many addresses a site has at most: 0, no sites are recorded. Set once, by prepare_sites().
extern std::uint32_t site_depth;

inline bool has_sites() {
    return __builtin_expect(site_depth != 0, false);
}

// Reads what the driver asks for, lists the objects. Does nothing from the second call on.
void prepare_sites();

// The number of the stack that ends in `caller`, told in the thread's own lane, which is not held.
// Returns 0, no site: where the lane is busy (a signal handler interrupted the recorder), where the
// thread has ended, where its tables or the capture are full.
std::uint32_t find_site(const Caller& caller);

// Has the thread's next event of an allocation preceded by its site. A signal handler between this
// and that event sets its own: it costs one site, never a wrong one.
inline void note_site(const void* frame_address) {
    if (has_sites())
        thread_lanes.site = find_site(caller_of(frame_address));
}

// An entry point that goes on to another of ours through code not the program's (operator new to
// malloc) names its own caller first; the other takes it once.
void expect_inner_call(const void* frame_address);
void forget_inner_call();

// In a forked child for the one thread it has, which may be in the midst of finding a site.
void forget_sites();
// At a thread's end.
void release_sites();

} // namespace alloclab::record
