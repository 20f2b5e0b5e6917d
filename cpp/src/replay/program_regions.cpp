// SPDX-License-Identifier: MIT
//
// The builder's part for memory the program mapped itself, and for the rarer calls.
#include <alloclab/replay/program_builder.hpp>

namespace alloclab {

std::uint32_t ProgramBuilder::new_region(std::uint64_t object, std::uint64_t size) {
    const std::uint32_t slot = new_slot(object);
    state_[slot] = {size, SlotState::region};
    return slot;
}

// Regions take slots like blocks, so that ids resolve alike; without `is_mapped` they do nothing.
void ProgramBuilder::add_region(const Event& event, const ChunkColumns& chunk) {
    WideOp wide;
    std::uint32_t slot = 0;
    const auto touch_as_recorded = [&](std::uint64_t size) {
        const Touched* const row = touched_row();
        const bool is_reserved = event.code == static_cast<std::uint8_t>(EventKind::map_reserved);
        if (row != nullptr || !is_reserved) {
            wide.touch_pages = pages_to_touch(row, size, wide);
        }
    };
    switch (static_cast<EventKind>(event.code)) {
    case EventKind::free_null:
        program_->ops.push_back(Op::make(OpCode::free_null, 0, 0));
        return;
    case EventKind::map:
    case EventKind::map_reserved:
        slot = new_region(event.object, event.size);
        wide.code = WideCode::map;
        wide.size = event.size;
        touch_as_recorded(event.size);
        break;
    case EventKind::split: {
        slot = slot_of(event.object, true, chunk);
        if (event.size >= state_[slot].size) {
            fail(chunk, "splits a region beyond its end");
        }
        wide.code = WideCode::split;
        wide.offset = event.size;
        wide.size = state_[slot].size - event.size;
        state_[slot].size = event.size;
        wide.other_slot = new_region(event.values[0], wide.size);
        if (const Touched* const row = touched_row(); row != nullptr) {
            wide.touch_pages = pages_to_touch(row, wide.size, wide);
        }
        break;
    }
    case EventKind::unmap:
        slot = slots_.take(event.object);
        if (slot == SlotMap::none || !state_[slot].is_region()) {
            fail(chunk, "unmaps an object that is no live region");
        }
        wide.code = WideCode::unmap;
        wide.old_size = state_[slot].size;
        break;
    case EventKind::remap:
        slot = slot_of(event.object, true, chunk);
        wide.code = WideCode::remap;
        wide.old_size = state_[slot].size;
        wide.size = state_[slot].size = event.size;
        touch_as_recorded(event.size);
        break;
    case EventKind::discard:
        slot = slot_of(event.object, true, chunk);
        wide.code = WideCode::discard;
        wide.offset = event.values[0];
        wide.size = event.size;
        if (wide.offset > state_[slot].size || wide.size > state_[slot].size - wide.offset) {
            fail(chunk, "discards beyond its region");
        }
        break;
    default: // failed calls and what is not about memory
        return;
    }
    if (options_.is_mapped) {
        add_wide(slot, wide);
    }
}

} // namespace alloclab
