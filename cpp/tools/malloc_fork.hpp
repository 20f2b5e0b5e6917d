// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <sys/single_threaded.h>

// What glibc's stdio takes around a fork. Not in a header, but exported since 2.2.5; weak, so that
// the library loads where it is not.
extern "C" {
[[gnu::weak]] void _IO_list_lock(); // NOLINT: glibc's name
[[gnu::weak]] void _IO_list_unlock();
}

namespace alloclab {

// The lock of the C library's list of streams, held by a fork before the malloc's own. Whoever
// flushes all streams holds it and waits for each stream; whoever reads a line holds a stream and
// waits for the malloc. A fork takes it after the handlers of libraries have run, so one that had
// the malloc's locks by then would wait for ever. The lock counts, and may be taken twice.
// One fork is between the two calls at a time. A child calls neither: the C library has made the
// lock anew by then.
class StreamsAtFork {
public:
    void lock() noexcept {
        is_held_ = !__libc_single_threaded && _IO_list_lock != nullptr;
        if (is_held_) {
            _IO_list_lock();
        }
    }
    void unlock() noexcept {
        if (is_held_) {
            _IO_list_unlock();
        }
    }

private:
    bool is_held_ = false;
};
inline constinit StreamsAtFork streams_at_fork;

// Holds a malloc's locks over every fork, inside that of the streams: three lambdas without
// captures. Once for a library.
template <auto lock, auto unlock, auto unlock_in_child = unlock> void hold_over_forks() noexcept {
    ::pthread_atfork(
        [] {
            streams_at_fork.lock();
            lock();
        },
        [] {
            unlock();
            streams_at_fork.unlock();
        },
        [] { unlock_in_child(); });
}

} // namespace alloclab
