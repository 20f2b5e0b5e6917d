// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>

namespace alloclab {

// What changes after publication, beside the sealed table instead of in it (row R59): reads look
// here first and fall through to the table, which is never written. An open-addressed table, linear
// probing, at most three quarters full.
//   count_ <= slot_count_ * 3 / 4; slot_count_ is 0 or a power of two
// Requires: the allocator and the sealed table outlive it.
template <class T, Allocator A> class SideTable {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    SideTable(A& allocator, std::span<const T> sealed) noexcept
        : allocator_(&allocator), sealed_(sealed) {}
    ~SideTable() { free_slots(slots_, slot_count_); }
    SideTable(const SideTable&) = delete;
    SideTable& operator=(const SideTable&) = delete;

    // The changed item, or the sealed one. Requires: `item_idx` is within the sealed table.
    // Cost: O(1) expected.
    const T& operator[](std::size_t item_idx) const noexcept {
        const Slot* const slot = slot_count_ != 0 ? find(slots_, slot_count_, item_idx) : nullptr;
        return slot != nullptr && slot->key != empty ? slot->value : sealed_[item_idx];
    }

    // Returns false, having changed nothing, for an index outside the sealed table or when the
    // allocator refuses. Cost: O(1) expected, amortised.
    bool set(std::size_t item_idx, const T& value) noexcept {
        if (item_idx >= sealed_.size() || !make_room()) {
            return false;
        }
        Slot* const slot = find(slots_, slot_count_, item_idx);
        count_ += slot->key == empty ? 1 : 0;
        *slot = {item_idx, value};
        return true;
    }

    // Takes every change back; the capacity stays.
    void clear() noexcept {
        for (std::size_t slot_idx = 0; slot_idx < slot_count_; ++slot_idx) {
            slots_[slot_idx].key = empty;
        }
        count_ = 0;
    }

    std::size_t size() const noexcept { return sealed_.size(); }
    std::size_t changed_count() const noexcept { return count_; }

private:
    struct Slot {
        std::size_t key;
        T value;
    };
    static constexpr std::size_t empty = SIZE_MAX; // no table is that long

    static Slot* find(Slot* slots, std::size_t slot_count, std::size_t key) noexcept {
        // Fibonacci hashing (Knuth, volume 3, 6.4): neighbours are spread.
        const auto spread = static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15U;
        std::size_t slot_idx = static_cast<std::size_t>(spread >> 32) & (slot_count - 1);
        while (slots[slot_idx].key != empty && slots[slot_idx].key != key) {
            slot_idx = (slot_idx + 1) & (slot_count - 1);
        }
        return slots + slot_idx;
    }
    bool make_room() noexcept {
        if (count_ + 1 <= slot_count_ / 4 * 3) {
            return true;
        }
        const std::size_t new_count = slot_count_ == 0 ? 16 : slot_count_ * 2;
        auto* const slots =
            static_cast<Slot*>(allocator_->allocate(new_count * sizeof(Slot), alignof(Slot)));
        if (slots == nullptr) {
            return false;
        }
        for (std::size_t slot_idx = 0; slot_idx < new_count; ++slot_idx) {
            slots[slot_idx].key = empty;
        }
        for (std::size_t slot_idx = 0; slot_idx < slot_count_; ++slot_idx) {
            if (slots_[slot_idx].key != empty) {
                *find(slots, new_count, slots_[slot_idx].key) = slots_[slot_idx];
            }
        }
        free_slots(slots_, slot_count_);
        slots_ = slots;
        slot_count_ = new_count;
        return true;
    }
    void free_slots(Slot* slots, std::size_t slot_count) noexcept {
        if (slots != nullptr) {
            allocator_->deallocate(slots, slot_count * sizeof(Slot), alignof(Slot));
        }
    }

    A* allocator_;
    std::span<const T> sealed_;
    Slot* slots_ = nullptr;
    std::size_t slot_count_ = 0;
    std::size_t count_ = 0;
};

} // namespace alloclab
