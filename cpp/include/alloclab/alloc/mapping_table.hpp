// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/page_source.hpp>

#include <cstdint>
#include <cstring>

namespace alloclab {

// Which mappings are live and how long each is, by the address of its first page: an open hash
// table (linear probing, no tombstones) in pages of its own, doubled at three quarters full.
//   4 * count <= 3 * capacity
// The source is the caller's, given with each call that may map or unmap.
class MappingTable {
public:
    // Returns false, having changed nothing, when the table is full and the source refuses more.
    // Cost: O(1), amortised. Requires: `bytes` is not 0 and `memory` not in the table.
    template <PageSource Source>
    bool insert(const void* memory, std::size_t bytes, Source& source) noexcept {
        if (4 * (count_ + 1) > 3 * capacity_ && !grow(source)) {
            return false;
        }
        place(reinterpret_cast<std::uintptr_t>(memory), bytes);
        ++count_;
        return true;
    }

    // Returns how long the mapping is, or 0 where none begins at `memory`.
    std::size_t find(const void* memory) const noexcept {
        const Entry* const entry = look_up(reinterpret_cast<std::uintptr_t>(memory));
        return entry != nullptr ? entry->bytes : 0;
    }

    // As `find`, and forgets it.
    std::size_t erase(const void* memory) noexcept {
        Entry* const entry = look_up(reinterpret_cast<std::uintptr_t>(memory));
        if (entry == nullptr) {
            return 0;
        }
        const std::size_t bytes = entry->bytes;
        close_gap(static_cast<std::size_t>(entry - entries_));
        --count_;
        return bytes;
    }

    // Calls `visit(memory, bytes)` for each mapping. Cost: O(capacity).
    template <class Visit> void for_each(Visit visit) const noexcept {
        for (std::size_t entry_idx = 0; entry_idx < capacity_; ++entry_idx) {
            if (entries_[entry_idx].bytes != 0) {
                visit(reinterpret_cast<void*>(entries_[entry_idx].address),
                      entries_[entry_idx].bytes);
            }
        }
    }

    // Forgets all and gives the table's pages back.
    template <PageSource Source> void clear(Source& source) noexcept {
        if (entries_ != nullptr) {
            source.unmap(entries_, table_bytes());
        }
        *this = MappingTable{};
    }

    std::size_t count() const noexcept { return count_; }
    std::size_t table_bytes() const noexcept { return capacity_ * sizeof(Entry); }

private:
    struct Entry {
        std::uintptr_t address;
        std::size_t bytes; // 0: empty
    };

    std::size_t home_of(std::uintptr_t address) const noexcept {
        return static_cast<std::size_t>((address / page_bytes * 0x9E3779B97F4A7C15ULL) >> 32) &
               (capacity_ - 1);
    }
    std::size_t after(std::size_t entry_idx) const noexcept {
        return (entry_idx + 1) & (capacity_ - 1);
    }

    Entry* look_up(std::uintptr_t address) const noexcept {
        if (count_ == 0) {
            return nullptr;
        }
        for (std::size_t at = home_of(address); entries_[at].bytes != 0; at = after(at)) {
            if (entries_[at].address == address) {
                return &entries_[at];
            }
        }
        return nullptr;
    }

    void place(std::uintptr_t address, std::size_t bytes) noexcept {
        std::size_t at = home_of(address);
        while (entries_[at].bytes != 0) {
            at = after(at);
        }
        entries_[at] = {address, bytes};
    }

    // Moves entries behind a gap into it where that shortens their way from home.
    void close_gap(std::size_t gap) noexcept {
        for (std::size_t at = after(gap); entries_[at].bytes != 0; at = after(at)) {
            const std::size_t from_home = (at - home_of(entries_[at].address)) & (capacity_ - 1);
            const std::size_t from_gap = (at - gap) & (capacity_ - 1);
            if (from_home >= from_gap) {
                entries_[gap] = entries_[at];
                gap = at;
            }
        }
        entries_[gap] = {};
    }

    template <PageSource Source> bool grow(Source& source) noexcept {
        MappingTable larger;
        larger.capacity_ = capacity_ == 0 ? page_bytes / sizeof(Entry) : 2 * capacity_;
        void* const memory = source.map(larger.table_bytes(), page_bytes);
        if (memory == nullptr) {
            return false;
        }
        if (!Source::maps_zeroed) {
            std::memset(memory, 0, larger.table_bytes());
        }
        larger.entries_ = static_cast<Entry*>(memory);
        for_each([&](const void* mapping, std::size_t bytes) {
            larger.place(reinterpret_cast<std::uintptr_t>(mapping), bytes);
        });
        larger.count_ = count_;
        clear(source);
        *this = larger;
        return true;
    }

    Entry* entries_ = nullptr;
    std::size_t capacity_ = 0; // a power of two, or 0
    std::size_t count_ = 0;
};

} // namespace alloclab
