// SPDX-License-Identifier: MIT
// Which blocks are live: open addressing with linear probing (Knuth, The Art of Computer
// Programming, volume 3, section 6.4), erased by moving what follows back, so that there are no
// tombstones. The home of an address is a multiplication away, whatever the capacity, so the table
// grows by a quarter and not by 2: that keeps the metadata of a block below 64 bytes.
#pragma once

#include <alloclab/alloc/debug_pages.hpp>

#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

namespace alloclab::tracing {

// One live block. `key` holds its address in the low 48 bits, the logarithm of its alignment in the
// next 8, and the call it came from in the last 8.
struct LiveRecord {
    std::uint64_t key;
    std::uint64_t size;
    std::uint64_t site;  // an index, or an address of code: see SiteTable
    std::uint64_t birth; // counts allocations
};
static_assert(sizeof(LiveRecord) == 32);

inline constexpr std::uint64_t address_mask = (std::uint64_t{1} << 48) - 1;

inline std::uint64_t make_key(const void* block, std::size_t alignment,
                              unsigned char call = 0) noexcept {
    return reinterpret_cast<std::uint64_t>(block) |
           static_cast<std::uint64_t>(std::countr_zero(alignment)) << 48 |
           static_cast<std::uint64_t>(call) << 56;
}
inline void* block_of(const LiveRecord& record) noexcept {
    return reinterpret_cast<void*>(record.key & address_mask);
}
inline std::size_t alignment_of(const LiveRecord& record) noexcept {
    return std::size_t{1} << (record.key >> 48 & 0x3F);
}
inline unsigned char call_of(const LiveRecord& record) noexcept {
    return static_cast<unsigned char>(record.key >> 56);
}

// Keys are written so that another thread may look one up while it is told nothing else: see
// `contains_relaxed`.
//   size() <= 13/20 capacity; a record stands between its home and the next empty slot
class LiveTable {
public:
    // Returns false, having changed nothing, when there is no memory to grow.
    // Requires: no record of this address is there.
    [[gnu::always_inline]] bool insert(const PageCalls& pages, const LiveRecord& record) noexcept {
        if (size_ >= limit_ && !grow(pages)) [[unlikely]] {
            return false;
        }
        std::size_t slot = home_of(record.key & address_mask);
        while (slots_[slot].key != 0) {
            slot = next(slot);
        }
        write(slots_[slot], record);
        ++size_;
        return true;
    }

    // Null when no block starts there.
    [[gnu::always_inline]] LiveRecord* find(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uint64_t>(block);
        if (size_ == 0) [[unlikely]] {
            return nullptr;
        }
        for (std::size_t slot = home_of(address); slots_[slot].key != 0; slot = next(slot)) {
            if ((slots_[slot].key & address_mask) == address) {
                return &slots_[slot];
            }
        }
        return nullptr;
    }

    // Requires: `record` is in the table. Pointers into the table are void afterwards.
    [[gnu::always_inline]] void erase(LiveRecord* record) noexcept {
        auto hole = static_cast<std::size_t>(record - slots_);
        for (std::size_t slot = next(hole); slots_[slot].key != 0; slot = next(slot)) {
            const std::size_t home = home_of(slots_[slot].key & address_mask);
            // May move unless its home lies between the hole and where it stands.
            const bool is_home_after_hole =
                hole <= slot ? hole < home && home <= slot : hole < home || home <= slot;
            if (!is_home_after_hole) {
                write(slots_[hole], slots_[slot]);
                hole = slot;
            }
        }
        write_key(slots_[hole], 0);
        --size_;
    }

    // As `find`, from any thread, while `lock_growth` keeps the table where it is.
    bool contains_relaxed(const void* block) const noexcept;

    template <class Visit> void for_each(Visit&& visit) const noexcept {
        for (std::size_t slot = 0; slot < capacity_; ++slot) {
            if (slots_[slot].key != 0) {
                visit(slots_[slot]);
            }
        }
    }
    // Erases every record `ends` says so of. What an erasure moves is asked about again.
    template <class Ends> void erase_where(Ends&& ends) noexcept {
        for (std::size_t slot = 0; slot < capacity_;) {
            if (slots_[slot].key != 0 && ends(std::as_const(slots_[slot]))) {
                erase(&slots_[slot]);
            } else {
                ++slot;
            }
        }
    }
    std::size_t size() const noexcept { return size_; }
    std::size_t mapped_bytes() const noexcept { return mapped_bytes_; }
    // Forgets everything, keeping the memory. Cost: O(capacity).
    void clear() noexcept;
    void close(const PageCalls& pages) noexcept;

private:
    // Low bits of an address are zero and high ones alike; a multiplication spreads what differs.
    std::size_t home_of(std::uint64_t address) const noexcept {
        const std::uint64_t spread = (address >> 4) * 0x9E3779B97F4A7C15U;
        return (spread >> 32) * capacity_ >> 32;
    }
    std::size_t next(std::size_t slot) const noexcept {
        return slot + 1 == capacity_ ? 0 : slot + 1;
    }
    static void write_key(LiveRecord& slot, std::uint64_t key) noexcept {
        std::atomic_ref(slot.key).store(key, std::memory_order_relaxed);
    }
    static void write(LiveRecord& slot, const LiveRecord& record) noexcept {
        slot.size = record.size;
        slot.site = record.site;
        slot.birth = record.birth;
        write_key(slot, record.key);
    }
    bool grow(const PageCalls& pages) noexcept;

    LiveRecord* slots_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    std::size_t limit_ = 0; // grows when reached
    std::size_t mapped_bytes_ = 0;
};

} // namespace alloclab::tracing
