// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace alloclab {

// What one thread of a replay waited for the others: no cost of the allocator.
struct WaitCounts {
    std::uint64_t waits = 0;    // that had to wait at all
    std::uint64_t sleeps = 0;   // of which so many times asleep
    std::uint64_t wait_ns = 0;  // spinning and asleep
    std::uint64_t switches = 0; // voluntary context switches meanwhile

    WaitCounts& operator+=(const WaitCounts& other) {
        waits += other.waits;
        sleeps += other.sleeps;
        wait_ns += other.wait_ns;
        switches += other.switches;
        return *this;
    }
};

inline std::uint64_t monotonic_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(time.tv_nsec);
}

// The calling thread's voluntary context switches so far: the times it went to sleep.
inline std::uint64_t voluntary_switches() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

// How long the threads of a replay stay awake before they sleep, which costs tens of microseconds:
// while each has a processor they spin, for then nobody else gains by a sleep; else they let the
// others run, again and again.
class Patience {
public:
    explicit Patience(std::uint32_t processors) : processors_(processors) {}

    void wake(std::uint32_t threads) { awake_.fetch_add(threads, std::memory_order_relaxed); }
    void sleep(std::uint32_t threads) { awake_.fetch_sub(threads, std::memory_order_relaxed); }

    // Calls `is_reached` until that is true or it is time to sleep; returns which.
    template <class IsReached> bool spin(std::uint64_t start_ns, IsReached&& is_reached) const {
        constexpr std::uint32_t spins_between_looks = 64; // some two microseconds
        constexpr std::uint64_t longest_ns = 50'000;
        do {
            for (std::uint32_t spin = 0; spin < spins_between_looks; ++spin) {
                if (is_reached()) {
                    return true;
                }
                __builtin_ia32_pause();
            }
        } while (awake_.load(std::memory_order_relaxed) <= processors_ && processors_ > 1 &&
                 monotonic_ns() - start_ns < longest_ns);
        constexpr int most_yields = 40;
        for (int yield = 0; yield < most_yields; ++yield) {
            ::sched_yield();
            if (is_reached()) {
                return true;
            }
        }
        return false;
    }

private:
    std::atomic<std::uint32_t> awake_{0};
    std::uint32_t processors_;
};

// A number that one thread raises and others wait for, each for a value of its own: spinning a
// little, then asleep on a futex. Raising costs one locked store where nobody sleeps.
//
// No wake-up is lost: who waits reads the count of wake-ups, asks for its value, looks once more at
// the number, and sleeps only while that count stands; who raises stores the number, then looks at
// what is asked for, takes it out, and counts a wake-up. All of it is sequentially consistent.
class alignas(64) Milestone {
public:
    static constexpr std::uint32_t end = ~std::uint32_t{0}; // past everything

    // Requires: nobody waits or will before this is seen by all.
    void reset(std::uint32_t value) { value_.store(value, std::memory_order_release); }

    void reach(std::uint32_t value, Patience& patience) {
        value_.store(value, std::memory_order_seq_cst);
        if (wanted_.load(std::memory_order_seq_cst) <= value) [[unlikely]] {
            wake(patience);
        }
    }

    std::uint32_t value() const { return value_.load(std::memory_order_acquire); }
    bool is_reached(std::uint32_t value) const { return this->value() >= value; }

    // Returns when the number is at least `value`; what that took is added to `counts`.
    void wait(std::uint32_t value, Patience& patience, WaitCounts& counts) {
        if (!is_reached(value)) [[unlikely]] {
            wait_long(value, patience, counts);
        }
    }

private:
    static constexpr std::uint32_t nothing = end; // is asked for; reaching the end always wakes

    // Those woken count as awake from here on: they want a processor, whether they have one or not.
    [[gnu::noinline]] void wake(Patience& patience) {
        wanted_.exchange(nothing);
        wakes_.fetch_add(1);
        const long woken =
            ::syscall(SYS_futex, &wakes_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
        if (woken > 0) {
            patience.wake(static_cast<std::uint32_t>(woken));
        }
    }

    void ask_for(std::uint32_t value) {
        std::uint32_t lowest = wanted_.load();
        while (value < lowest && !wanted_.compare_exchange_weak(lowest, value)) {
        }
    }

    [[gnu::noinline]] void wait_long(std::uint32_t value, Patience& patience, WaitCounts& counts) {
        const std::uint64_t start_ns = monotonic_ns();
        ++counts.waits;
        if (!patience.spin(start_ns, [&] { return is_reached(value); })) {
            const std::uint64_t switches = voluntary_switches();
            sleep(value, patience);
            ++counts.sleeps;
            counts.switches += voluntary_switches() - switches;
        }
        counts.wait_ns += monotonic_ns() - start_ns;
    }

    void sleep(std::uint32_t value, Patience& patience) {
        for (;;) {
            const std::uint32_t wakes = wakes_.load();
            ask_for(value);
            if (value_.load(std::memory_order_seq_cst) >= value) {
                return;
            }
            patience.sleep(1);
            if (::syscall(SYS_futex, &wakes_, FUTEX_WAIT_PRIVATE, wakes, nullptr, nullptr, 0) !=
                0) {
                patience.wake(1); // nobody woke it: the count had moved on already
            }
        }
    }

    std::atomic<std::uint32_t> value_{0};
    std::atomic<std::uint32_t> wanted_{nothing}; // the lowest value anyone sleeps for
    std::atomic<std::uint32_t> wakes_{0};
};

} // namespace alloclab
