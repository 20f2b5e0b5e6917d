// SPDX-License-Identifier: MIT
#pragma once

// A table a thread keeps of its stacks, by open addressing in shared mapped memory,
// which does not count as the program's anonymous memory.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Numbers by keys of two words of which one is never zero.
class NumberTable {
public:
    // The number kept under the key, or 0.
    std::uint32_t find(std::uint64_t key, std::uint32_t second) const {
        if (slots_ == nullptr)
            return 0;
        std::size_t slot_idx = home(key, second);
        for (std::size_t probe_idx = 0; probe_idx < most_probes; ++probe_idx) {
            const Slot& slot = slots_[slot_idx];
            if (slot.key == key && slot.second == second)
                return slot.number;
            if (slot.key == 0)
                return 0;
            slot_idx = (slot_idx + 1) & mask_;
        }
        return 0;
    }

    // Keeps a number under a key that has none. Returns false when memory is short.
    // Requires: key != 0.
    bool insert(std::uint64_t key, std::uint32_t second, std::uint32_t number);

    void clear();
    void release();
    std::size_t count() const { return count_; }

private:
    // Far beyond what half-full tables come to: it ends the search in a table that a process cloned
    // unseen has filled.
    static constexpr std::size_t most_probes = 512;

    struct Slot {
        std::uint64_t key;
        std::uint32_t second;
        std::uint32_t number;
    };

    std::size_t home(std::uint64_t key, std::uint32_t second) const {
        return ((key ^ static_cast<std::uint64_t>(second) << 40) * 0x9e3779b97f4a7c15U >> 32) &
               mask_;
    }
    bool grow();
    void place(const Slot& slot);

    Slot* slots_ = nullptr;
    std::size_t mask_ = 0;
    std::size_t count_ = 0;
};

} // namespace alloclab::record
