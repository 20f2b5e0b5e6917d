// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/hands.hpp>
#include <alloclab/replay/lane.hpp>

#include <utility>
#include <vector>

namespace alloclab {

// The lane for one heap, one way of touching and one observer: one loop, everything inlined.
template <class Heap, class Touching, class Observer> class LaneOf final : public Lane {
public:
    using Slots = std::vector<typename Heap::Slot>;

    // `slots` and `mapped` are those of all lanes, and outlive them.
    LaneOf(Heap heap, Observer observer, MappedRegions& mapped, Slots& slots)
        : hands_{std::move(heap), std::move(observer), mapped, slots} {}

    const ReplayCounts& counts() const override { return hands_.counts; }

    [[gnu::noinline]] void run(std::span<const Op> ops, const Program& program,
                               LaneSync& sync) override {
        const Op* const begin = ops.data();
        const Op* const end = begin + ops.size();
        auto* const table = hands_.slots.data();
        for (const Op* op = begin; op != end; ++op) {
            const std::uint32_t slot = op->slot & ~Op::awaited;
            const OpCode code = op->code();
            if (code <= OpCode::allocate_zero) {
                hands_.allocate(table, slot, code, op->size());
            } else if (code == OpCode::free) {
                hands_.free(table, slot);
            } else if (code == OpCode::wait) {
                sync.wait(static_cast<std::uint32_t>(op->size()), op->slot);
                continue;
            } else if (code == OpCode::control) {
                sync.control(static_cast<ControlCode>(op->size()), op->slot);
                continue;
            } else {
                hands_.run_rare(code, slot, op->size(), program);
            }
            if (op->slot != slot) [[unlikely]] {
                sync.done.reach(static_cast<std::uint32_t>(op - begin) + 1, sync.patience);
            }
        }
    }

private:
    Hands<Heap, Touching, Observer, Slots&> hands_;
};

} // namespace alloclab
