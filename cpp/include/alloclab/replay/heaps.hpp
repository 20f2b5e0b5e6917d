// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/table_of.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/replay/kernel.hpp>

#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace alloclab {

// A heap is what a kernel replays on: it defines what a slot of the table holds (a default one is
// an empty slot, `block(slot)` its pointer) and the calls on it. Each call returns the block or
// null and leaves the slot as it was when it fails. A heap that several threads may call says so:
// `is_per_thread`, each has one of its own over the same allocator, or `is_thread_safe()`.

// The process's malloc, whoever provides it: out of line and unsized.
class MallocHeap {
public:
    using Slot = void*;
    static constexpr std::string_view call_path = "malloc";
    static constexpr bool has_memory = true;
    static constexpr bool is_per_thread = true;

    static void* block(const Slot& slot) { return slot; }
    // What malloc owes a block of so many bytes: enough for whatever fits.
    static std::size_t least_alignment(std::size_t size) {
        return size >= default_alignment ? default_alignment : std::bit_floor(size | 1);
    }
    void* allocate(Slot& slot, std::size_t size) { return slot = std::malloc(size); }
    void* allocate_zero(Slot& slot, std::size_t size) { return slot = std::calloc(1, size); }
    void* allocate_aligned(Slot& slot, std::size_t size, std::size_t alignment) {
        void* got = nullptr;
        slot = ::posix_memalign(&got, alignment, size) == 0 ? got : nullptr;
        return slot;
    }
    void* reallocate(Slot& slot, std::size_t size) {
        void* const got = std::realloc(slot, size);
        if (got != nullptr || size == 0) {
            slot = got;
        }
        return got;
    }
    void deallocate(Slot& slot) { std::free(slot); }
    void free_null() { std::free(nullptr); }
    std::size_t usable_size(void* block, std::size_t) { return ::malloc_usable_size(block); }
    std::vector<NamedCount> stats() const { return {}; }
};

// No allocator: what the driver itself costs. Every block is the same one.
class NullReplayHeap {
public:
    using Slot = void*;
    static constexpr std::string_view call_path = "none";
    static constexpr bool has_memory = false;
    static constexpr bool is_per_thread = true;

    static void* block(const Slot& slot) { return slot; }
    static std::size_t least_alignment(std::size_t) { return 1; }
    void* allocate(Slot& slot, std::size_t) { return slot = memory_; }
    void* allocate_zero(Slot& slot, std::size_t) { return slot = memory_; }
    void* allocate_aligned(Slot& slot, std::size_t, std::size_t) { return slot = memory_; }
    void* reallocate(Slot& slot, std::size_t) { return slot = memory_; }
    void deallocate(Slot& slot) { sink_ = slot; }
    void free_null() {}
    std::size_t usable_size(void*, std::size_t size) { return size; }
    std::vector<NamedCount> stats() const { return {}; }

private:
    alignas(64) char memory_[64];
    void* volatile sink_ = nullptr; // the load of the slot is part of the driver
};

// One of the lab's allocators, inlined into the kernel and told the sizes.
template <class A> class OwnHeap {
public:
    struct Slot {
        void* at = nullptr;
        std::size_t size = 0;
        std::size_t alignment = 0;
    };
    static constexpr std::string_view call_path = "templated";
    static constexpr bool has_memory = true;

    template <class... Arguments>
    explicit OwnHeap(Arguments&&... arguments)
        : allocator_(std::forward<Arguments>(arguments)...) {}

    // False at compile time where the type already says so.
    static constexpr bool may_be_thread_safe =
        is_thread_safe_type<A>() || std::is_same_v<A, AnyAllocator>;
    bool is_thread_safe() const {
        if constexpr (std::is_same_v<A, AnyAllocator>) {
            return allocator_.is_thread_safe();
        } else {
            return is_thread_safe_type<A>();
        }
    }

    static void* block(const Slot& slot) { return slot.at; }
    static std::size_t least_alignment(std::size_t) { return default_alignment; }
    void* allocate(Slot& slot, std::size_t size) {
        return allocate_aligned(slot, size, default_alignment);
    }
    void* allocate_zero(Slot& slot, std::size_t size) {
        if constexpr (Zeroing<A>) { // knows which memory is fresh, and leaves it untouched
            slot = {allocator_.allocate_zeroed(size, default_alignment), size, default_alignment};
            return slot.at;
        } else {
            void* const got = allocate(slot, size);
            return got == nullptr ? got : std::memset(got, 0, size);
        }
    }
    void* allocate_aligned(Slot& slot, std::size_t size, std::size_t alignment) {
        slot = {allocator_.allocate(size, alignment), size, alignment};
        return slot.at;
    }
    void* reallocate(Slot& slot, std::size_t size) {
        if (slot.at == nullptr) {
            return allocate(slot, size);
        }
        if constexpr (Resizable<A>) {
            if (allocator_.resize(slot.at, slot.size, size, slot.alignment)) {
                slot.size = size;
                return slot.at;
            }
        }
        void* const got = allocator_.allocate(size, slot.alignment);
        if (got != nullptr) {
            std::memcpy(got, slot.at, slot.size < size ? slot.size : size);
            allocator_.deallocate(slot.at, slot.size, slot.alignment);
            slot = {got, size, slot.alignment};
        }
        return got;
    }
    void deallocate(Slot& slot) {
        if (slot.at != nullptr) {
            allocator_.deallocate(slot.at, slot.size, slot.alignment);
        }
    }
    void free_null() { allocator_.deallocate(nullptr, 0, default_alignment); }
    std::size_t usable_size(void* block, std::size_t size) {
        if constexpr (Measurable<A>) {
            return allocator_.usable_size(block);
        } else {
            return align_up(size, default_alignment);
        }
    }
    std::vector<NamedCount> stats() const {
        const auto stats = allocator_.stats();
        return {{"reserved_bytes", stats.reserved_bytes},
                {"committed_bytes", stats.committed_bytes}};
    }

protected:
    A& allocator() { return allocator_; }
    const A& allocator() const { return allocator_; }

private:
    A allocator_;
};

// A heap that is another kernel's: what each thread of a parallel replay calls.
template <class Heap> class SharedHeap {
public:
    using Slot = typename Heap::Slot;
    static constexpr std::string_view call_path = Heap::call_path;
    static constexpr bool has_memory = Heap::has_memory;

    explicit SharedHeap(Heap& heap) : heap_(heap) {}

    static void* block(const Slot& slot) { return Heap::block(slot); }
    static std::size_t least_alignment(std::size_t size) { return Heap::least_alignment(size); }
    void* allocate(Slot& slot, std::size_t size) { return heap_.allocate(slot, size); }
    void* allocate_zero(Slot& slot, std::size_t size) { return heap_.allocate_zero(slot, size); }
    void* allocate_aligned(Slot& slot, std::size_t size, std::size_t alignment) {
        return heap_.allocate_aligned(slot, size, alignment);
    }
    void* reallocate(Slot& slot, std::size_t size) { return heap_.reallocate(slot, size); }
    void deallocate(Slot& slot) { heap_.deallocate(slot); }
    void free_null() { heap_.free_null(); }

private:
    Heap& heap_;
};

} // namespace alloclab
