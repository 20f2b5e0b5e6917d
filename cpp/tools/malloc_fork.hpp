// SPDX-License-Identifier: MIT
#pragma once

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
// For the three handlers of pthread_atfork, in this order; one fork is between them at a time.
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
    // In a child the C library has made it anew by now.

private:
    bool is_held_ = false;
};

} // namespace alloclab
