// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace alloclab {

// From the ids of live objects to slots. Ids are dense and rising, so this is a two-level table
// whose leaves of 1,024 ids exist only while an object in them lives; leaves are reused.
// Slots are handed out last in, first out.
// Cost: O(1). Memory: at most one leaf a live object, in practice a few bytes a live object.
class SlotMap {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    // Gives the object `id` a slot. Requires: `id` is above every id given before.
    std::uint32_t insert(std::uint64_t id) {
        const std::uint64_t leaf = id >> leaf_bits;
        if (leaf >= directory_.size() || directory_[leaf] == nullptr) [[unlikely]] {
            add_leaf(leaf);
        }
        Leaf& entries = *directory_[leaf];
        std::uint32_t slot = slots_;
        if (free_slots_.empty()) {
            ++slots_;
        } else {
            slot = free_slots_.back();
            free_slots_.pop_back();
        }
        entries.slot[id & leaf_mask] = slot;
        ++entries.live;
        return slot;
    }

    // The slot of `id`, or none when it is not alive.
    std::uint32_t find(std::uint64_t id) const {
        const std::uint64_t leaf = id >> leaf_bits;
        if (leaf >= directory_.size() || directory_[leaf] == nullptr) {
            return none;
        }
        return directory_[leaf]->slot[id & leaf_mask];
    }

    // Removes `id` and returns its slot, or none when it is not alive.
    std::uint32_t take(std::uint64_t id) {
        const std::uint64_t leaf = id >> leaf_bits;
        if (leaf >= directory_.size() || directory_[leaf] == nullptr) [[unlikely]] {
            return none;
        }
        Leaf& entries = *directory_[leaf];
        const std::uint32_t slot = entries.slot[id & leaf_mask];
        if (slot == none) {
            return none;
        }
        entries.slot[id & leaf_mask] = none;
        free_slots_.push_back(slot);
        if (--entries.live == 0) {
            free_leaves_.push_back(directory_[leaf]);
            directory_[leaf] = nullptr;
        }
        return slot;
    }

    // How many slots were ever in use at once.
    std::uint32_t slots() const { return slots_; }

private:
    static constexpr unsigned leaf_bits = 10;
    static constexpr std::uint64_t leaf_mask = (1u << leaf_bits) - 1;
    struct Leaf {
        std::uint32_t live = 0;
        std::uint32_t slot[1u << leaf_bits];
    };

    [[gnu::noinline]] void add_leaf(std::uint64_t leaf) {
        if (leaf >= directory_.size()) {
            directory_.resize(leaf + 1);
        }
        if (free_leaves_.empty()) {
            leaves_.push_back(std::make_unique<Leaf>());
            std::fill_n(leaves_.back()->slot, 1u << leaf_bits, none);
            directory_[leaf] = leaves_.back().get();
            return;
        }
        directory_[leaf] = free_leaves_.back(); // all its entries are none again
        free_leaves_.pop_back();
    }

    std::vector<Leaf*> directory_;
    std::vector<std::unique_ptr<Leaf>> leaves_;
    std::vector<Leaf*> free_leaves_;
    std::vector<std::uint32_t> free_slots_;
    std::uint32_t slots_ = 0;
};

} // namespace alloclab
