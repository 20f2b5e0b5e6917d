// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace alloclab {

// A number of the calling thread's own, never 0 and never given to another one: pthread_t is, once
// a thread has ended.
inline std::uint64_t this_thread_serial() noexcept {
    static constinit std::atomic<std::uint64_t> count{0};
    thread_local const std::uint64_t serial = count.fetch_add(1, std::memory_order_relaxed) + 1;
    return serial;
}

} // namespace alloclab
