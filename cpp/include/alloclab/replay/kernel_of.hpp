// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/hands.hpp>
#include <alloclab/replay/heaps.hpp>
#include <alloclab/replay/kernel.hpp>
#include <alloclab/replay/lane_of.hpp>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace alloclab {

// The kernel for one heap, one way of touching and one observer: one loop, everything inlined.
template <class Heap, class Touching, class Observer> class KernelOf final : public Kernel {
public:
    template <class... Arguments>
    explicit KernelOf(Arguments&&... arguments)
        : hands_{Heap(std::forward<Arguments>(arguments)...), {}, mapped_, {}} {}

    void reserve_slots(std::uint32_t slots) override {
        if (slots > hands_.slots.size()) {
            hands_.slots.resize(slots);
            hands_.observer.reserve(slots);
            mapped_.reserve(slots);
        }
    }
    std::string_view call_path() const override { return Heap::call_path; }
    std::vector<NamedCount> stats() const override { return hands_.heap.stats(); }
    const ReplayCounts& counts() const override { return hands_.counts; }
    std::vector<PlacedBlock> take_placed() override {
        if constexpr (std::is_same_v<Observer, ObservePlacement>) {
            return hands_.observer.take();
        } else {
            return {};
        }
    }

    std::unique_ptr<Lane> make_lane(std::uint32_t thread) override {
        if constexpr (requires { hands_.observer.for_thread(thread); }) {
            if constexpr (requires { Heap::is_per_thread; }) {
                return std::make_unique<LaneOf<Heap, Touching, Observer>>(
                    Heap(), hands_.observer.for_thread(thread), mapped_, hands_.slots);
            } else if constexpr (requires { requires Heap::may_be_thread_safe; }) {
                if (hands_.heap.is_thread_safe()) {
                    return std::make_unique<LaneOf<SharedHeap<Heap>, Touching, Observer>>(
                        SharedHeap<Heap>(hands_.heap), hands_.observer.for_thread(thread), mapped_,
                        hands_.slots);
                }
            }
        }
        return nullptr;
    }

    // Kept out of line so that the loop's code does not depend on the caller.
    [[gnu::noinline]] void run(const Program& program, std::size_t from, std::size_t to) override {
        const Op* const end = program.ops.data() + to;
        auto* const table = hands_.slots.data();
        for (const Op* op = program.ops.data() + from; op != end; ++op) {
            // A chain, the frequent first: a jump table mispredicts dearer (3.2 against 2.2 ns).
            const OpCode code = op->code();
            if (code <= OpCode::allocate_zero) {
                hands_.allocate(table, op->slot, code, op->size());
            } else if (code == OpCode::free) {
                hands_.free(table, op->slot);
            } else {
                hands_.run_rare(code, op->slot, op->size(), program);
            }
        }
    }

private:
    MappedRegions mapped_;
    Hands<Heap, Touching, Observer, std::vector<typename Heap::Slot>> hands_;
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
