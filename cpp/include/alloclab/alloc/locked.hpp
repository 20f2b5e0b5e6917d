// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/reallocate.hpp>
#include <alloclab/alloc/spin_lock.hpp>

#include <pthread.h>

namespace alloclab {

// A lock for sections that may make system calls: who waits sleeps. Constant-initialised.
class MutexLock {
public:
    void lock() noexcept { ::pthread_mutex_lock(&mutex_); }
    void unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

// One allocator for several threads, one at a time. SpinLock suits allocators that only now and
// then go to the system, MutexLock those that always do. While the program has one thread a
// SpinLock costs a store. A block may be freed by any thread.
template <Allocator A, class Lock = SpinLock> class Locked : private Layer<A> {
    using Guard = LockGuard<Lock>;

public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};
    static constexpr bool is_thread_safe = true;

    template <class... Sources>
    explicit Locked(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...) {}
    Locked(FromChildren, A child) noexcept : Layer<A>(from_children, std::forward<A>(child)) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    void* allocate(std::size_t size, std::size_t alignment, Site... site) noexcept {
        const Guard guard(lock_);
        return this->upstream_.allocate(size, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        const Guard guard(lock_);
        return this->upstream_.allocate_zeroed(size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        const Guard guard(lock_);
        this->upstream_.deallocate(block, size, alignment);
    }
    void deallocate(void* block) noexcept requires UnsizedDeallocating<A> {
        const Guard guard(lock_);
        this->upstream_.deallocate(block);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        const Guard guard(lock_);
        return this->upstream_.resize(block, old_size, new_size, alignment);
    }
    void* reallocate(void* block, std::size_t old_size, std::size_t new_size,
                     std::size_t alignment) noexcept requires Reallocating<A> {
        const Guard guard(lock_);
        return this->upstream_.reallocate(block, old_size, new_size, alignment);
    }
    void reset() noexcept requires Resettable<A> {
        const Guard guard(lock_);
        this->upstream_.reset();
    }
    bool owns(const void* block) const noexcept requires Owning<A> {
        const Guard guard(lock_);
        return this->upstream_.owns(block);
    }
    std::size_t usable_size(const void* block) const noexcept requires Measurable<A> {
        const Guard guard(lock_);
        return this->upstream_.usable_size(block);
    }
    auto stats() const noexcept requires Reporting<A> {
        const Guard guard(lock_);
        return this->upstream_.stats();
    }

    void visit_stats(StatVisitor visitor) const noexcept {
        const Guard guard(lock_);
        visit_stats_of(this->upstream_, visitor);
    }

    // What is behind the lock, for who knows that nobody else is at it.
    using Layer<A>::upstream;

private:
    mutable Lock lock_;
};

} // namespace alloclab
