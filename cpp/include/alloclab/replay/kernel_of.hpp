// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/error.hpp>
#include <alloclab/replay/kernel.hpp>
#include <alloclab/replay/mapped.hpp>
#include <alloclab/replay/observers.hpp>
#include <alloclab/replay/touching.hpp>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace alloclab {

// The kernel for one heap, one way of touching and one observer: one loop, everything inlined.
template <class Heap, class Touching, class Observer> class KernelOf final : public Kernel {
public:
    template <class... Arguments>
    explicit KernelOf(Arguments&&... arguments) : heap_(std::forward<Arguments>(arguments)...) {}

    void reserve_slots(std::uint32_t slots) override {
        if (slots > slots_.size()) {
            slots_.resize(slots);
            observer_.reserve(slots);
        }
    }
    std::string_view call_path() const override { return Heap::call_path; }
    std::vector<NamedCount> stats() const override { return heap_.stats(); }
    std::vector<PlacedBlock> take_placed() override {
        if constexpr (std::is_same_v<Observer, ObservePlacement>) {
            return observer_.take();
        } else {
            return {};
        }
    }

    // Kept out of line so that the loop's code does not depend on the caller.
    [[gnu::noinline]] void run(const Program& program, std::size_t from, std::size_t to) override {
        const Op* const end = program.ops.data() + to;
        Slot* const slots = slots_.data();
        for (const Op* op = program.ops.data() + from; op != end; ++op) {
            Slot& slot = slots[op->slot];
            // A chain, the frequent first: a jump table mispredicts dearer (3.2 against 2.2 ns).
            const OpCode code = op->code();
            if (code <= OpCode::allocate_zero) {
                born(op->slot,
                     code == OpCode::allocate ? heap_.allocate(slot, op->size())
                                              : heap_.allocate_zero(slot, op->size()),
                     op->size());
            } else if (code == OpCode::free) {
                observer_.dies(heap_, op->slot, Heap::block(slot), counts_);
                heap_.deallocate(slot);
            } else {
                run_rare(*op, program);
            }
        }
    }

private:
    using Slot = typename Heap::Slot;

    void failed(std::uint32_t slot, std::size_t size) {
        observer_.refused(slot);
        ++counts_.failed_allocations;
        counts_.failed_bytes += size;
    }

    void born(std::uint32_t slot, void* block, std::size_t size) {
        if (block == nullptr) [[unlikely]] {
            return failed(slot, size);
        }
        if constexpr (Heap::has_memory) {
            Touching::block(block, size);
            check_alignment(block, Heap::least_alignment(size));
            observer_.born(heap_, slot, block, size, counts_);
        } else {
            *static_cast<volatile char*>(block) = 1;
        }
    }

    void check_alignment(const void* block, std::size_t alignment) {
        if constexpr (std::is_same_v<Observer, ObserveStamps>) {
            observer_.aligned(block, alignment, counts_);
        }
    }

    // Does the realloc and what the observer needs around it; null when it failed.
    void* resized(std::uint32_t slot, std::size_t size) {
        observer_.dies(heap_, slot, Heap::block(slots_[slot]), counts_);
        void* const block = heap_.reallocate(slots_[slot], size);
        if (block == nullptr && size != 0) [[unlikely]] {
            failed(slot, size);
        } else if (block == nullptr) {
            observer_.refused(slot); // realloc(p, 0) may end the block, which is no failure
        }
        if constexpr (std::is_same_v<Observer, ObserveStamps> && Heap::has_memory) {
            if (block != nullptr) {
                observer_.moved(slot, block, size, counts_);
            }
        }
        return block;
    }

    void run_rare(const Op& op, const Program& program) {
        if (op.code() == OpCode::reallocate) {
            reallocate(op.slot, op.size());
        } else if (op.code() == OpCode::free_null) {
            heap_.free_null();
        } else {
            run_wide(op.slot, program.wide[op.size()]);
        }
    }

    void reallocate(std::uint32_t slot, std::size_t size) {
        void* const block = resized(slot, size);
        if (block == nullptr) [[unlikely]] {
            return;
        }
        if constexpr (Heap::has_memory) {
            Touching::block(block, size);
            check_alignment(block, Heap::least_alignment(size));
            observer_.born(heap_, slot, block, size, counts_);
        }
    }

    [[gnu::noinline]] void run_wide(std::uint32_t slot_index, const WideOp& wide) {
        Slot& slot = slots_[slot_index];
        void* block = nullptr;
        switch (wide.code) {
        case WideCode::allocate:
            block = heap_.allocate(slot, wide.size);
            break;
        case WideCode::allocate_zero:
            block = heap_.allocate_zero(slot, wide.size);
            break;
        case WideCode::allocate_aligned:
            block = heap_.allocate_aligned(slot, wide.size, wide.alignment);
            break;
        case WideCode::reallocate:
            block = resized(slot_index, wide.size);
            break;
        default:
            if constexpr (Heap::has_memory) {
                mapped_.template run<Touching>(slot_index, wide);
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
            observer_.born(heap_, slot_index, block, wide.size, counts_);
        }
    }

    Heap heap_;
    Observer observer_;
    MappedRegions mapped_;
    std::vector<Slot> slots_;
};

// Picks the instantiation for `config`. Blocks and stamps are measured with pages touched as asked.
template <class Heap, class... Arguments>
std::unique_ptr<Kernel> make_kernel_of(const KernelConfig& config, const Arguments&... arguments) {
    if (config.measure == Measure::placement) {
        return std::make_unique<KernelOf<Heap, TouchNothing, ObservePlacement>>(arguments...);
    }
    const auto with = [&]<class Touching>(Touching) -> std::unique_ptr<Kernel> {
        switch (config.measure) {
        case Measure::blocks:
            return std::make_unique<KernelOf<Heap, Touching, ObserveBlocks>>(arguments...);
        case Measure::check:
            return std::make_unique<KernelOf<Heap, Touching, ObserveStamps>>(arguments...);
        default:
            return std::make_unique<KernelOf<Heap, Touching, ObserveNothing>>(arguments...);
        }
    };
    switch (config.touch) {
    case Touch::none:
        return with(TouchNothing{});
    case Touch::all:
        return with(TouchAll{});
    default:
        return with(TouchPages{});
    }
}

} // namespace alloclab
