// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include <sched.h>
#include <sys/single_threaded.h>

namespace alloclab {

// A lock for sections of tens of nanoseconds that works before main and under a program's malloc:
// constant-initialised, no system object behind it. While the program has one thread it costs a
// plain store. Long waits yield the processor.
class SpinLock {
public:
    void lock() noexcept {
        if (__libc_single_threaded) {
            is_locked_.store(true, std::memory_order_relaxed);
            return;
        }
        while (is_locked_.exchange(true, std::memory_order_acquire)) {
            wait();
        }
    }
    void unlock() noexcept { is_locked_.store(false, std::memory_order_release); }

private:
    [[gnu::noinline]] void wait() const noexcept {
        constexpr std::uint32_t spins_before_yield = 64;
        for (std::uint32_t spin_count = 0; is_locked_.load(std::memory_order_relaxed);) {
            if (++spin_count % spins_before_yield == 0) {
                ::sched_yield();
            } else {
                __builtin_ia32_pause();
            }
        }
    }

    std::atomic<bool> is_locked_{false};
};

// Holds a lock for a scope.
template <class Lock> class [[nodiscard]] LockGuard {
public:
    explicit LockGuard(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
    ~LockGuard() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    Lock& lock_;
};

} // namespace alloclab
