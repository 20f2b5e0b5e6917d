// SPDX-License-Identifier: MIT

// `frame-on`: calls that end a frame in programs nobody changes. What waits for the next frame in
// most of them are these functions of the C library; others are patched, see record/hooks.hpp.

#include "preload_entry.hpp"
#include "preload_errno.hpp"
#include "preload_hooks.hpp"

#include <alloclab/record/hooks.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/options.hpp>
#include <alloclab/record/real_calls.hpp>

#include <cstdint>
#include <ctime>
#include <poll.h>
#include <unistd.h>

using namespace alloclab::record;

namespace {

enum Wait : unsigned { usleep_wait, nanosleep_wait, clock_nanosleep_wait, poll_wait, wait_count };
constexpr const char* wait_names[wait_count] = {"usleep", "nanosleep", "clock_nanosleep", "poll"};
bool ends_frame[wait_count];
bool was_called[wait_count];

// The libraries' own calls do not come here: they are bound within the C library.
inline void pass(Wait wait) {
    if (__builtin_expect(ends_frame[wait], false)) {
        const ErrnoKept kept;
        was_called[wait] = true;
        pass_boundary("frame", wait_names[wait]);
    }
}

} // namespace

void prepare_frames() {
    for (unsigned wait_idx = 0; wait_idx < wait_count; ++wait_idx)
        ends_frame[wait_idx] = has_symbol(options().frame_on, wait_names[wait_idx]);
}

void report_frames() {
    for (unsigned wait_idx = 0; wait_idx < wait_count; ++wait_idx)
        if (ends_frame[wait_idx])
            report_hook(wait_names[wait_idx],
                        was_called[wait_idx] ? "was called" : "was never called");
}

bool is_known_wait(const char* symbol) {
    for (const char* const name : wait_names)
        if (__builtin_strcmp(name, symbol) == 0)
            return true;
    return false;
}

ALLOCLAB_ENTRY int usleep(useconds_t microseconds) {
    static int (*real)(useconds_t);
    pass(usleep_wait);
    return next(real, "usleep")(microseconds);
}

ALLOCLAB_ENTRY int nanosleep(const struct timespec* time, struct timespec* rest) {
    static int (*real)(const struct timespec*, struct timespec*);
    pass(nanosleep_wait);
    return next(real, "nanosleep")(time, rest);
}

ALLOCLAB_ENTRY int clock_nanosleep(clockid_t clock, int flags, const struct timespec* time,
                                   struct timespec* rest) {
    static int (*real)(clockid_t, int, const struct timespec*, struct timespec*);
    pass(clock_nanosleep_wait);
    return next(real, "clock_nanosleep")(clock, flags, time, rest);
}

ALLOCLAB_ENTRY int poll(struct pollfd* descriptors, nfds_t count, int timeout_ms) {
    static int (*real)(struct pollfd*, nfds_t, int);
    pass(poll_wait);
    return next(real, "poll")(descriptors, count, timeout_ms);
}
