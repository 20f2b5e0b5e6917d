// SPDX-License-Identifier: MIT
#pragma once

// System calls without errno: the recorder runs inside a program's malloc, whose errno it must
// not touch, and beside wrappers of mmap and its kin, which it must not enter.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <sys/syscall.h>

namespace alloclab::record {

// Makes a system call. Returns its result, or a negated error number.
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) {
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

inline long address_argument(const volatile void* p) {
    return reinterpret_cast<long>(p);
}

inline bool is_error(long result) {
    return result < 0 && result >= -4095;
}

// Maps memory, or returns null.
inline void* map_memory(std::size_t bytes, int protection, int flags, int fd, std::size_t offset) {
    const long result = system_call(SYS_mmap, 0, static_cast<long>(bytes), protection, flags, fd,
                                    static_cast<long>(offset));
    return is_error(result) ? nullptr : reinterpret_cast<void*>(result);
}

// Maps the recorder's own tables, or returns null: shared memory does not count as the program's
// anonymous memory. Pages come as they are used.
inline void* map_shared(std::size_t bytes) {
    return map_memory(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
}

inline void unmap_memory(void* p, std::size_t bytes) {
    system_call(SYS_munmap, address_argument(p), static_cast<long>(bytes));
}

// Puts zeroed memory of this process alone in the place of what is mapped there.
inline bool cover_with_zeros(void* p, std::size_t bytes) {
    constexpr int read_write = 3;                 // PROT_READ | PROT_WRITE
    constexpr int private_fixed_anonymous = 0x32; // MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
    return !is_error(system_call(SYS_mmap, address_argument(p), static_cast<long>(bytes),
                                 read_write, private_fixed_anonymous, -1, 0));
}

// Holds back every signal of this thread, so that no handler runs while a lock is held.
class SignalsBlocked {
public:
    SignalsBlocked() {
        const std::uint64_t all = ~std::uint64_t{0};
        system_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, address_argument(&all),
                    address_argument(&before_), sizeof all);
    }
    ~SignalsBlocked() {
        system_call(SYS_rt_sigprocmask, 2, address_argument(&before_), 0, sizeof before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    std::uint64_t before_ = 0;
};

// A lock for what happens rarely: blocks signals, spins, then yields.
class RareLock {
public:
    void lock() {
        while (__atomic_exchange_n(&is_locked_, true, __ATOMIC_ACQUIRE))
            system_call(SYS_sched_yield);
    }
    void unlock() { __atomic_store_n(&is_locked_, false, __ATOMIC_RELEASE); }
    // For a forked child, whose parent may have held it.
    void reset() { is_locked_ = false; }

private:
    bool is_locked_ = false;
};

class RareGuard {
public:
    explicit RareGuard(RareLock& lock) : lock_(lock) { lock_.lock(); }
    ~RareGuard() { lock_.unlock(); }
    RareGuard(const RareGuard&) = delete;
    RareGuard& operator=(const RareGuard&) = delete;

private:
    SignalsBlocked blocked_;
    RareLock& lock_;
};

} // namespace alloclab::record
