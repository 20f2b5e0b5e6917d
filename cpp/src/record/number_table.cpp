// SPDX-License-Identifier: MIT
#include <alloclab/record/number_table.hpp>

#include <alloclab/record/system_call.hpp>

#include <cstring>
#include <sys/mman.h>

namespace alloclab::record {

namespace {

constexpr std::size_t first_slots = 1024;

} // namespace

void NumberTable::place(const Slot& slot) {
    std::size_t slot_idx = home(slot.key, slot.second);
    for (std::size_t probe_idx = 0; probe_idx < most_probes && slots_[slot_idx].key != 0;
         ++probe_idx)
        slot_idx = (slot_idx + 1) & mask_;
    slots_[slot_idx] = slot;
}

bool NumberTable::grow() {
    Slot* const old = slots_;
    const std::size_t old_count = old != nullptr ? mask_ + 1 : 0;
    const std::size_t count = old != nullptr ? 2 * old_count : first_slots;
    void* const mapped =
        map_memory(count * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == nullptr)
        return false;
    slots_ = static_cast<Slot*>(mapped);
    mask_ = count - 1;
    for (std::size_t slot_idx = 0; slot_idx < old_count; ++slot_idx)
        if (old[slot_idx].key != 0)
            place(old[slot_idx]);
    if (old != nullptr)
        unmap_memory(old, old_count * sizeof(Slot));
    return true;
}

bool NumberTable::insert(std::uint64_t key, std::uint32_t second, std::uint32_t number) {
    if ((slots_ == nullptr || count_ > mask_ / 2) && !grow())
        return false;
    place({key, second, number});
    ++count_;
    return true;
}

void NumberTable::clear() {
    if (slots_ != nullptr)
        std::memset(slots_, 0, (mask_ + 1) * sizeof(Slot));
    count_ = 0;
}

void NumberTable::release() {
    if (slots_ != nullptr)
        unmap_memory(slots_, (mask_ + 1) * sizeof(Slot));
    *this = NumberTable{};
}

} // namespace alloclab::record
