// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace alloclab {

// A live block of the recorded program.
struct LiveBlock {
    std::uint64_t object = 0;
    std::uint64_t size = 0;
    std::uint64_t sized_by_event = 0; // the allocate or reallocate that gave it this size
    std::uint32_t thread = 0;
};

// Live blocks by address: open addressing with linear probing and backward-shift deletion (Knuth,
// The Art of Computer Programming 3, 6.4, algorithm R), so that there are no tombstones and memory
// follows the number of live blocks.
// Cost: O(1) expected.
class AddressMap {
public:
    AddressMap() : slots_(1 << 12) {}

    std::size_t size() const { return size_; }

    // The block at `address`, or null; valid until the next change.
    // Requires: `address` is not zero, here and below.
    LiveBlock* find(std::uint64_t address) {
        for (std::size_t at = home(address);; at = next(at)) {
            if (slots_[at].address == address) {
                return &slots_[at].block;
            }
            if (slots_[at].address == 0) {
                return nullptr;
            }
        }
    }

    // Requires: `address` is not zero and holds no block.
    void insert(std::uint64_t address, const LiveBlock& block) {
        if ((size_ + 1) * 2 > slots_.size()) {
            grow();
        }
        std::size_t at = home(address);
        while (slots_[at].address != 0) {
            at = next(at);
        }
        slots_[at] = {address, block};
        ++size_;
    }

    // Removes the block at `address` into `block`. Returns false when there is none.
    bool take(std::uint64_t address, LiveBlock& block) {
        std::size_t hole = home(address);
        while (slots_[hole].address != address) {
            if (slots_[hole].address == 0) {
                return false;
            }
            hole = next(hole);
        }
        block = slots_[hole].block;
        for (std::size_t at = next(hole); slots_[at].address != 0; at = next(at)) {
            // An entry may move back only to a place not before its home.
            const std::size_t distance_home = (at - home(slots_[at].address)) & (slots_.size() - 1);
            const std::size_t distance_hole = (at - hole) & (slots_.size() - 1);
            if (distance_home >= distance_hole) {
                slots_[hole] = slots_[at];
                hole = at;
            }
        }
        slots_[hole].address = 0;
        --size_;
        return true;
    }

    // Calls `visitor(address, block)` for every block, in no order.
    template <class Visitor> void for_each(Visitor&& visitor) const {
        for (const Slot& slot : slots_) {
            if (slot.address != 0) {
                visitor(slot.address, slot.block);
            }
        }
    }

private:
    struct Slot {
        std::uint64_t address = 0;
        LiveBlock block;
    };

    std::size_t home(std::uint64_t address) const {
        // Fibonacci hashing; blocks are 16 bytes apart, so the low bits say nothing.
        return static_cast<std::size_t>(((address >> 4) * 0x9e3779b97f4a7c15ull) >> 32) &
               (slots_.size() - 1);
    }
    std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        size_ = 0;
        for (const Slot& slot : old) {
            if (slot.address != 0) {
                insert(slot.address, slot.block);
            }
        }
    }

    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

} // namespace alloclab
