// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/thread_local.hpp>

// The part of ThreadLocal that is run once a thread, or once a block freed elsewhere.
namespace alloclab {

template <Allocator A, PageSource Source, class Make> ThreadLocal<A, Source, Make>::~ThreadLocal() {
    if (has_key_) {
        ::pthread_key_delete(key_);
    }
    Slot* slot = first_.load(std::memory_order_acquire);
    while (slot != nullptr) {
        Slot* const next = slot->next;
        slot->~Slot();
        source_.unmap(slot, slot_bytes);
        slot = next;
    }
}

template <Allocator A, PageSource Source, class Make>
[[gnu::noinline]] auto ThreadLocal<A, Source, Make>::find_slot() noexcept -> Slot* {
    if (!has_key_) {
        return nullptr;
    }
    auto* slot = static_cast<Slot*>(::pthread_getspecific(key_));
    if (slot == nullptr) {
        slot = adopt_slot();
        slot = slot != nullptr ? slot : create_slot();
        if (slot == nullptr) {
            return nullptr;
        }
        if (::pthread_setspecific(key_, slot) != 0) {
            tidy_idle(slot);
            return nullptr;
        }
    }
    detail::thread_slot_cache = {serial_, slot};
    return slot;
}

template <Allocator A, PageSource Source, class Make>
auto ThreadLocal<A, Source, Make>::adopt_slot() noexcept -> Slot* {
    for (Slot* slot = first_.load(std::memory_order_acquire); slot; slot = slot->next) {
        if (slot->take_idle(detail::ThreadSlotState::used)) {
            return slot;
        }
    }
    return nullptr;
}

template <Allocator A, PageSource Source, class Make>
auto ThreadLocal<A, Source, Make>::create_slot() noexcept -> Slot* {
    const LockGuard<SpinLock> guard(creating_);
    void* const memory = source_.map(slot_bytes, page_bytes);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* const slot = ::new (memory) Slot(this, make_);
    slot->next = first_.load(std::memory_order_relaxed);
    first_.store(slot, std::memory_order_release);
    return slot;
}

template <Allocator A, PageSource Source, class Make>
[[gnu::noinline]] void ThreadLocal<A, Source, Make>::free_elsewhere(Slot* slot,
                                                                    Head* head) noexcept {
    if (slot == ::pthread_getspecific(key_)) { // the thread was last at another ThreadLocal
        slot->free(head);
        return;
    }
    slot->push_remote(head);
    if (slot->take_idle(detail::ThreadSlotState::tidied)) {
        tidy_idle(slot);
    }
}

// Frees what other threads left, and gives the slot up. Requires: the caller holds it.
template <Allocator A, PageSource Source, class Make>
void ThreadLocal<A, Source, Make>::tidy_idle(Slot* slot) noexcept {
    do {
        slot->drain();
        if constexpr (Resettable<A>) {
            if (on_exit_ == ThreadExit::drain && slot->live_count == 0 &&
                can_reset(slot->allocator)) {
                slot->allocator.reset();
            }
        }
        slot->state.store(detail::ThreadSlotState::idle, std::memory_order_seq_cst);
        // A block pushed before that store, by someone who still saw a holder, is ours to free.
    } while (slot->remote.load(std::memory_order_seq_cst) != nullptr &&
             slot->take_idle(detail::ThreadSlotState::tidied));
}

template <Allocator A, PageSource Source, class Make>
void ThreadLocal<A, Source, Make>::thread_ended(void* argument) noexcept {
    auto* const slot = static_cast<Slot*>(argument);
    auto* const whole = static_cast<ThreadLocal*>(slot->thread_local_of);
    if (detail::thread_slot_cache.serial == whole->serial_) {
        detail::thread_slot_cache = {};
    }
    whole->tidy_idle(slot);
}

template <Allocator A, PageSource Source, class Make>
bool ThreadLocal<A, Source, Make>::resize(void* block, std::size_t, std::size_t new_size,
                                          std::size_t) noexcept requires Resizable<A> {
    Head* const head = Head::of(block);
    auto* const slot = static_cast<Slot*>(head->owner);
    const std::size_t offset = std::max(head->alignment(), sizeof(Head));
    if (slot != ::pthread_getspecific(key_) || new_size > SIZE_MAX / 4 ||
        !slot->allocator.resize(reinterpret_cast<std::byte*>(head + 1) - offset,
                                head->size() + offset, new_size + offset, offset)) {
        return false;
    }
    head->set(new_size, head->alignment());
    return true;
}

} // namespace alloclab
