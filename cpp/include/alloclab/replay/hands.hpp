// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/kernel.hpp>
#include <alloclab/replay/mapped.hpp>
#include <alloclab/replay/observers.hpp>
#include <alloclab/replay/touching.hpp>

#include <type_traits>

namespace alloclab {

// What is done at each op, whoever goes through them: the call, the touching, the observing.
// `Slots` is the table of blocks, or a reference to one that is shared.
template <class Heap, class Touching, class Observer, class Slots> struct Hands {
    using Slot = typename Heap::Slot;

    Heap heap;
    Observer observer;
    MappedRegions& mapped;
    Slots slots;
    ReplayCounts counts{};

    // The two frequent ops are handed `table`, slots.data(), which a loop keeps in a register.
    [[gnu::always_inline]] void allocate(Slot* table, std::uint32_t slot, OpCode code,
                                         std::size_t size) {
        born(slot,
             code == OpCode::allocate ? heap.allocate(table[slot], size)
                                      : heap.allocate_zero(table[slot], size),
             size);
    }

    [[gnu::always_inline]] void free(Slot* table, std::uint32_t slot) {
        observer.dies(heap, slot, Heap::block(table[slot]), counts);
        heap.deallocate(table[slot]);
    }

    void run_rare(OpCode code, std::uint32_t slot, std::size_t size, const Program& program) {
        if (code == OpCode::reallocate) {
            reallocate(slot, size);
        } else if (code == OpCode::free_null) {
            heap.free_null();
        } else {
            run_wide(slot, program.wide[size]);
        }
    }

private:
    void failed(std::uint32_t slot, std::size_t size) {
        observer.refused(slot);
        ++counts.failed_allocations;
        counts.failed_bytes += size;
    }

    void born(std::uint32_t slot, void* block, std::size_t size) {
        if (block == nullptr) [[unlikely]] {
            return failed(slot, size);
        }
        if constexpr (Heap::has_memory) {
            Touching::block(block, size);
            check_alignment(block, Heap::least_alignment(size));
            observer.born(heap, slot, block, size, counts);
        } else {
            *static_cast<volatile char*>(block) = 1;
        }
    }

    void check_alignment(const void* block, std::size_t alignment) {
        if constexpr (std::is_same_v<Observer, ObserveStamps>) {
            observer.aligned(block, alignment, counts);
        }
    }

    // Does the realloc and what the observer needs around it; null when it failed.
    void* resized(std::uint32_t slot, std::size_t size) {
        observer.dies(heap, slot, Heap::block(slots[slot]), counts);
        void* const block = heap.reallocate(slots[slot], size);
        if (block == nullptr && size != 0) [[unlikely]] {
            failed(slot, size);
        } else if (block == nullptr) {
            observer.refused(slot); // realloc(p, 0) may end the block, which is no failure
        }
        if constexpr (std::is_same_v<Observer, ObserveStamps> && Heap::has_memory) {
            if (block != nullptr) {
                observer.moved(slot, block, size, counts);
            }
        }
        return block;
    }

    void reallocate(std::uint32_t slot, std::size_t size) {
        void* const block = resized(slot, size);
        if (block == nullptr) [[unlikely]] {
            return;
        }
        if constexpr (Heap::has_memory) {
            Touching::block(block, size);
            check_alignment(block, Heap::least_alignment(size));
            observer.born(heap, slot, block, size, counts);
        }
    }

    [[gnu::noinline]] void run_wide(std::uint32_t slot_index, const WideOp& wide) {
        Slot& slot = slots[slot_index];
        void* block = nullptr;
        switch (wide.code) {
        case WideCode::allocate:
            block = heap.allocate(slot, wide.size);
            break;
        case WideCode::allocate_zero:
            block = heap.allocate_zero(slot, wide.size);
            break;
        case WideCode::allocate_aligned:
            block = heap.allocate_aligned(slot, wide.size, wide.alignment);
            break;
        case WideCode::reallocate:
            block = resized(slot_index, wide.size);
            break;
        default:
            if constexpr (Heap::has_memory) {
                mapped.template run<Touching>(slot_index, wide);
            }
            return;
        }
        if (block == nullptr) {
            if (wide.code != WideCode::reallocate) {
                failed(slot_index, wide.size);
            }
            return;
        }
        if constexpr (Heap::has_memory) {
            Touching::part(block, wide.size, wide.touch_pages, wide.is_prefix);
            check_alignment(block, wide.code == WideCode::allocate_aligned
                                       ? wide.alignment
                                       : Heap::least_alignment(wide.size));
            observer.born(heap, slot_index, block, wide.size, counts);
        }
    }
};

} // namespace alloclab
