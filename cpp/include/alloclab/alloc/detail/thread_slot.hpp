// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/base/bits.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace alloclab::detail {

// Stands right before each block of a ThreadLocal. Once the block is freed by another thread,
// `owner` is the next block of the owner's list instead.
struct ThreadBlockHead {
    void* owner;
    std::uint64_t size_and_alignment; // the size, and in the low 6 bits the log of the alignment

    static ThreadBlockHead* of(const void* block) noexcept {
        return static_cast<ThreadBlockHead*>(const_cast<void*>(block)) - 1;
    }
    std::size_t size() const noexcept { return size_and_alignment >> 6; }
    std::size_t alignment() const noexcept { return std::size_t{1} << (size_and_alignment & 63); }
    void set(std::size_t size, std::size_t alignment) noexcept {
        size_and_alignment = (size << 6) | static_cast<unsigned>(std::countr_zero(alignment));
    }
};
static_assert(sizeof(ThreadBlockHead) == 16);

//   used    a thread's own
//   idle    no thread's; free for the taking
//   tidied  no thread's, but somebody is freeing what was left on its list
enum class ThreadSlotState : std::uint8_t { used, idle, tidied };

// One thread's allocator. All but the atomics belong to who holds the slot: its thread, or who
// changed its state from idle.
template <class A> struct ThreadSlot {
    template <class Make>
    ThreadSlot(void* whole, Make& make) noexcept : allocator(make()), thread_local_of(whole) {}

    A allocator;
    ThreadSlot* next = nullptr;
    void* thread_local_of;
    std::size_t live_count = 0;
    std::atomic<ThreadSlotState> state{ThreadSlotState::used};
    alignas(64) std::atomic<ThreadBlockHead*> remote{nullptr}; // freed by other threads

    void* head_block(void* inner, std::size_t size, std::size_t alignment) noexcept {
        const std::size_t offset = std::max(alignment, sizeof(ThreadBlockHead));
        void* const block = static_cast<std::byte*>(inner) + offset;
        ThreadBlockHead* const head = ThreadBlockHead::of(block);
        head->owner = this;
        head->set(size, alignment);
        ++live_count;
        return block;
    }
    void free(ThreadBlockHead* head) noexcept {
        const std::size_t offset = std::max(head->alignment(), sizeof(ThreadBlockHead));
        auto* const block = reinterpret_cast<std::byte*>(head + 1);
        --live_count;
        allocator.deallocate(block - offset, head->size() + offset, offset);
    }
    // From any thread. Sequentially consistent, as is the change to idle: one of the two that meet
    // sees what the other did.
    void push_remote(ThreadBlockHead* head) noexcept {
        ThreadBlockHead* first = remote.load(std::memory_order_relaxed);
        do {
            head->owner = first;
        } while (!remote.compare_exchange_weak(first, head, std::memory_order_seq_cst,
                                               std::memory_order_relaxed));
    }
    void drain() noexcept {
        ThreadBlockHead* head = remote.exchange(nullptr, std::memory_order_acquire);
        while (head != nullptr) {
            auto* const following = static_cast<ThreadBlockHead*>(head->owner);
            free(head);
            head = following;
        }
    }
    bool take_idle(ThreadSlotState as) noexcept {
        ThreadSlotState expected = ThreadSlotState::idle;
        return state.compare_exchange_strong(expected, as, std::memory_order_seq_cst);
    }
};

// The slot a thread used last, so that the common case needs no call. Serials are never used twice.
struct ThreadSlotCache {
    std::uint64_t serial;
    void* slot;
};
[[gnu::tls_model(
    "initial-exec")]] inline thread_local constinit ThreadSlotCache thread_slot_cache{};

inline std::uint64_t next_thread_local_serial() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

} // namespace alloclab::detail
