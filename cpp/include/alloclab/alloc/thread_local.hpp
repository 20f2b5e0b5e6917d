// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/detail/thread_slot.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/spin_lock.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include <pthread.h>

namespace alloclab {

// Builds a thread's allocator from settings and a page source.
template <class A, PageSource Source> struct MakeFromOptions {
    OptionsOf<A> options;
    [[no_unique_address]] Source source;
    A operator()() noexcept { return make_child<A>(options, source); }
};

// An allocator a thread, made when the thread first asks. Blocks may be freed by any thread: 16
// bytes before each say whose it is, and a block of another thread's is put on that thread's list,
// which it empties at its next allocation. A thread that ends leaves its allocator to the next one.
//   live_count of a slot = blocks it gave out - blocks freed into it
// `owns` is not passed on: asking another thread's allocator would be a race.
// Requires: `Source` serves several threads at a time; so must `Make`'s allocators be independent.
template <Allocator A, PageSource Source = OsPageSource, class Make = MakeFromOptions<A, Source>>
class ThreadLocal {
    using Slot = detail::ThreadSlot<A>;
    using Head = detail::ThreadBlockHead;

public:
    using Options = LayerOptions<ThreadLocalOptions, OptionsOf<A>>;
    static constexpr Options default_options{};
    static constexpr bool is_thread_safe = true;

    explicit ThreadLocal(const Options& options = default_options,
                         Source source = Source{}) noexcept
        : ThreadLocal(options, Make{options.upstream, source}, source) {}
    // Calls `make()` in each thread, one at a time.
    ThreadLocal(const ThreadLocalOptions& options, Make make, Source source) noexcept
        : on_exit_(options.on_exit), make_(std::move(make)), source_(std::move(source)),
          serial_(detail::next_thread_local_serial()),
          has_key_(::pthread_key_create(&key_, &ThreadLocal::thread_ended) == 0) {}
    // Requires: no thread is using it.
    ~ThreadLocal();
    ThreadLocal(const ThreadLocal&) = delete;
    ThreadLocal& operator=(const ThreadLocal&) = delete;

    // Returns null when the thread's allocator does, or when there is no memory for a new one.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return allocate_by(size, alignment, [](A& allocator, std::size_t inner, std::size_t to) {
            return allocator.allocate(inner, to);
        });
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return allocate_by(size, alignment, [](A& allocator, std::size_t inner, std::size_t to) {
            return allocator.allocate_zeroed(inner, to);
        });
    }
    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block == nullptr) {
            return;
        }
        Head* const head = Head::of(block);
        auto* const slot = static_cast<Slot*>(head->owner);
        if (detail::thread_slot_cache.serial == serial_ && detail::thread_slot_cache.slot == slot)
            [[likely]] {
            slot->free(head);
        } else {
            free_elsewhere(slot, head);
        }
    }
    // Only for blocks of the calling thread.
    bool resize(void* block, std::size_t, std::size_t new_size,
                std::size_t) noexcept requires Resizable<A>;
    // As it was asked for.
    std::size_t usable_size(const void* block) const noexcept {
        return block != nullptr ? Head::of(block)->size() : 0;
    }

    // Ends every block of every thread. Requires: no thread is using it.
    void reset() noexcept requires Resettable<A> {
        for (Slot* slot = first_.load(std::memory_order_acquire); slot; slot = slot->next) {
            slot->remote.store(nullptr, std::memory_order_relaxed);
            slot->allocator.reset();
            slot->live_count = 0;
        }
    }
    // Requires: no thread is using it. Cost: O(threads), and what each one's stats cost.
    HeldStats stats() const noexcept {
        HeldStats held;
        for_each_thread([&held](const A& each) {
            held = held + held_by(each) + HeldStats{slot_bytes, slot_bytes};
        });
        return held;
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        for_each_thread([visitor](const A& each) {
            visit_stats_of(each, visitor);
            visitor("reserved_bytes", slot_bytes);
            visitor("committed_bytes", slot_bytes);
        });
    }
    // Calls `function` with each thread's allocator. Requires: no thread is using it.
    template <class Function> void for_each_thread(Function&& function) const {
        for (Slot* slot = first_.load(std::memory_order_acquire); slot; slot = slot->next) {
            function(std::as_const(slot->allocator));
        }
    }
    // How many allocators there are; as many threads as ever used it at a time.
    std::size_t slot_count() const noexcept {
        std::size_t count = 0;
        for (Slot* slot = first_.load(std::memory_order_acquire); slot; slot = slot->next) {
            ++count;
        }
        return count;
    }

private:
    static constexpr std::size_t slot_bytes = align_up(sizeof(Slot), page_bytes);

    template <class Allocate>
    [[gnu::always_inline]] void* allocate_by(std::size_t size, std::size_t alignment,
                                             Allocate&& allocate) noexcept {
        constexpr std::size_t limit = SIZE_MAX / 4;
        Slot* const slot = slot_of_thread();
        if (slot == nullptr || size > limit || alignment > limit) [[unlikely]] {
            return nullptr;
        }
        if (slot->remote.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
            slot->drain();
        }
        const std::size_t offset = std::max(alignment, sizeof(Head));
        void* const inner = allocate(slot->allocator, size + offset, offset);
        return inner != nullptr ? slot->head_block(inner, size, alignment) : nullptr;
    }
    [[gnu::always_inline]] Slot* slot_of_thread() noexcept {
        const detail::ThreadSlotCache& cache = detail::thread_slot_cache;
        return cache.serial == serial_ ? static_cast<Slot*>(cache.slot) : find_slot();
    }
    Slot* find_slot() noexcept;
    Slot* adopt_slot() noexcept;
    Slot* create_slot() noexcept;
    void free_elsewhere(Slot* slot, Head* head) noexcept;
    void tidy_idle(Slot* slot) noexcept;
    static void thread_ended(void* slot) noexcept;

    std::atomic<Slot*> first_{nullptr}; // grows at the front only
    ThreadExit on_exit_;
    Make make_;
    [[no_unique_address]] Source source_;
    SpinLock creating_;
    std::uint64_t serial_;
    pthread_key_t key_{};
    bool has_key_;
};

} // namespace alloclab

#include <alloclab/alloc/detail/thread_local_slots.hpp>
