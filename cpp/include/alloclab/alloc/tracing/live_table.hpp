// SPDX-License-Identifier: MIT
// Which blocks are live: a hash table in groups of 16 slots with a byte of each slot's hash beside
// them, so that one comparison finds the slot in its group (after Kulukundis's Swiss tables). Probe
// counts hardly vary then, and branches that follow them are foretold. Unlike those it need not be
// a power of two in size and grows by a quarter: a live block takes less than 64 bytes of it.
#pragma once

#include <alloclab/alloc/debug_pages.hpp>

#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

#include <emmintrin.h>

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
//   used_ <= 7/8 capacity, so that every search meets an empty slot;
//   tags_[slot] is of the key in slots_[slot], or `empty`, or `tombstone`, and in the last two
//   cases that key is 0;
//   a record stands in its home group, or in a later one with no empty slot in between
// A record takes the first slot of its group that has none. Groups fill from their first slot on,
// so that is mostly a tombstone while there are any: a table whose size is steady is seldom
// cleaned.
class LiveTable {
public:
    // Returns false, having changed nothing, when there is no memory to grow.
    // Requires: no record of this address is there.
    [[gnu::always_inline]] bool insert(const PageCalls& pages, const LiveRecord& record) noexcept {
        const std::uint64_t hash = hash_of(record.key & address_mask);
        if (group_count_ == 0 && !make_room(pages)) [[unlikely]] {
            return false;
        }
        std::size_t slot = place_for(hash);
        if (tags_[slot] == empty) [[unlikely]] {
            if (size_ >= limit_ || used_ >= used_limit_) {
                if (!make_room(pages)) {
                    return false;
                }
                slot = place_for(hash);
            }
            used_ += tags_[slot] == empty;
        }
        tags_[slot] = tag_of(hash);
        write(slots_[slot], record);
        ++size_;
        return true;
    }

    // Null when no block starts there.
    [[gnu::always_inline]] LiveRecord* find(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uint64_t>(block);
        const std::uint64_t hash = hash_of(address);
        for (std::size_t group = home_of(hash); group < group_count_; group = next(group)) {
            for (std::uint32_t likely = slots_that_are(group, tag_of(hash)); likely != 0;
                 likely &= likely - 1) {
                LiveRecord& record =
                    slots_[group * group_slots + static_cast<unsigned>(std::countr_zero(likely))];
                if ((record.key & address_mask) == address) [[likely]] {
                    return &record;
                }
            }
            if (slots_that_are(group, empty) != 0) [[likely]] {
                return nullptr;
            }
        }
        return nullptr; // nothing was ever put in
    }

    // Requires: `record` is in the table.
    [[gnu::always_inline]] void erase(LiveRecord* record) noexcept {
        tags_[record - slots_] = tombstone;
        write_key(*record, 0);
        --size_;
    }

    // As `find`, from any thread, while a GrowthLock keeps the table where it is. Cost:
    // O(capacity).
    bool contains_relaxed(const void* block) const noexcept;

    template <class Visit> void for_each(Visit&& visit) const noexcept {
        for (std::size_t slot = 0; slot < group_count_ * group_slots; ++slot) {
            if (slots_[slot].key != 0) {
                visit(slots_[slot]);
            }
        }
    }
    // Erases every record `ends` says so of.
    template <class Ends> void erase_where(Ends&& ends) noexcept {
        for (std::size_t slot = 0; slot < group_count_ * group_slots; ++slot) {
            if (slots_[slot].key != 0 && ends(std::as_const(slots_[slot]))) {
                erase(&slots_[slot]);
            }
        }
    }
    std::size_t size() const noexcept { return size_; }
    std::size_t mapped_bytes() const noexcept { return mapped_bytes_; }
    // Forgets everything, keeping the memory. Cost: O(capacity).
    void clear() noexcept;
    void close(const PageCalls& pages) noexcept;

private:
    static constexpr std::size_t group_slots = 16;
    static constexpr unsigned char empty = 0;
    static constexpr unsigned char tombstone = 1;

    // The low bits of an address are zero and the high ones alike; a multiplication spreads what
    // differs to the top.
    static std::uint64_t hash_of(std::uint64_t address) noexcept {
        return (address >> 4) * 0x9E3779B97F4A7C15U;
    }
    std::size_t home_of(std::uint64_t hash) const noexcept {
        return (hash >> 32) * group_count_ >> 32;
    }
    static unsigned char tag_of(std::uint64_t hash) noexcept {
        return static_cast<unsigned char>(hash >> 24 | 0x80);
    }
    // Of a group, a bit for each slot whose tag is that.
    [[gnu::always_inline]] std::uint32_t slots_that_are(std::size_t group,
                                                        unsigned char tag) const noexcept {
        const __m128i tags =
            _mm_load_si128(reinterpret_cast<const __m128i*>(tags_ + group * group_slots));
        return static_cast<std::uint32_t>(
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(static_cast<char>(tag)))));
    }
    // Of a group, a bit for each slot that holds nothing: only tags of keys have the high bit.
    [[gnu::always_inline]] std::uint32_t open_slots(std::size_t group) const noexcept {
        const __m128i tags =
            _mm_load_si128(reinterpret_cast<const __m128i*>(tags_ + group * group_slots));
        return static_cast<std::uint32_t>(_mm_movemask_epi8(tags)) ^ 0xFFFF;
    }
    std::size_t next(std::size_t group) const noexcept {
        return group + 1 == group_count_ ? 0 : group + 1;
    }
    static void write_key(LiveRecord& slot, std::uint64_t key) noexcept {
        std::atomic_ref(slot.key).store(key, std::memory_order_relaxed);
    }
    [[gnu::always_inline]] static void write(LiveRecord& slot, const LiveRecord& record) noexcept {
        slot.size = record.size;
        slot.site = record.site;
        slot.birth = record.birth;
        write_key(slot, record.key);
    }
    bool make_room(const PageCalls& pages) noexcept;
    void drop_tombstones() noexcept;
    // The first slot that holds nothing, from the home of a hash on.
    [[gnu::always_inline]] std::size_t place_for(std::uint64_t hash) const noexcept {
        std::size_t group = home_of(hash);
        std::uint32_t open = open_slots(group);
        while (open == 0)
            [[unlikely]] {
                group = next(group);
                open = open_slots(group);
            }
        return group * group_slots + static_cast<unsigned>(std::countr_zero(open));
    }

    LiveRecord* slots_ = nullptr;
    unsigned char* tags_ = nullptr; // behind the slots
    std::size_t group_count_ = 0;
    std::size_t size_ = 0;
    std::size_t used_ = 0;  // and tombstones
    std::size_t limit_ = 0; // of size_, looked at whenever an empty slot is taken
    std::size_t used_limit_ = 0;
    std::size_t mapped_bytes_ = 0;
};

} // namespace alloclab::tracing
