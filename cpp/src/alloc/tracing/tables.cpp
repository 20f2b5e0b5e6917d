// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/core.hpp>

#include <algorithm>

namespace alloclab::tracing {

bool LiveTable::contains_relaxed(const void* block) const noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(block);
    for (std::size_t slot = 0; slot < group_count_ * group_slots; ++slot) {
        const std::uint64_t key = std::atomic_ref(slots_[slot].key).load(std::memory_order_relaxed);
        if ((key & address_mask) == address) {
            return true;
        }
    }
    return false;
}

void LiveTable::clear() noexcept {
    if (slots_ != nullptr) {
        std::memset(static_cast<void*>(slots_), 0, mapped_bytes_);
    }
    size_ = used_ = 0;
}

void LiveTable::close(const PageCalls& pages) noexcept {
    const GrowthLock lock;
    if (slots_ != nullptr) {
        pages.unmap(pages.source, slots_, mapped_bytes_);
    }
    *this = LiveTable{};
}

// Puts every record where a search looks first, in place: marks all as not yet placed, by the tag
// of tombstones, and places one after the other. Where that takes the slot of one not yet placed,
// the two change places, and the other one is next.
void LiveTable::drop_tombstones() noexcept {
    const GrowthLock lock;
    const std::size_t capacity = group_count_ * group_slots;
    for (std::size_t slot = 0; slot < capacity; ++slot) {
        tags_[slot] = slots_[slot].key != 0 ? tombstone : empty;
    }
    for (std::size_t slot = 0; slot < capacity; ++slot) {
        while (tags_[slot] == tombstone) {
            const std::uint64_t hash = hash_of(slots_[slot].key & address_mask);
            std::size_t target = place_for(hash);
            if (target / group_slots == slot / group_slots) {
                target = slot; // as good a place
            }
            const bool was_empty = tags_[target] == empty;
            tags_[target] = tag_of(hash);
            if (target != slot) {
                const LiveRecord other = slots_[target];
                write(slots_[target], slots_[slot]);
                write(slots_[slot], other);
                tags_[slot] = was_empty ? empty : tombstone;
            }
        }
    }
    used_ = size_;
}

// A table with room that is full of tombstones is cleaned, any other grows by a quarter.
[[gnu::noinline, gnu::cold]] bool LiveTable::make_room(const PageCalls& pages) noexcept {
    constexpr std::size_t first_bytes = 4 * page_bytes;
    constexpr std::size_t group_bytes = group_slots * (sizeof(LiveRecord) + 1);
    if (size_ < limit_) {
        drop_tombstones();
        return true;
    }
    LiveTable larger;
    larger.mapped_bytes_ =
        mapped_bytes_ == 0 ? first_bytes : align_up(mapped_bytes_ + mapped_bytes_ / 4, page_bytes);
    larger.slots_ = static_cast<LiveRecord*>(pages.map(pages.source, larger.mapped_bytes_));
    if (larger.slots_ == nullptr) {
        return false;
    }
    larger.group_count_ = larger.mapped_bytes_ / group_bytes;
    larger.tags_ =
        reinterpret_cast<unsigned char*>(larger.slots_ + larger.group_count_ * group_slots);
    larger.limit_ = larger.group_count_ * group_slots / 10 * 7;
    larger.used_limit_ = larger.group_count_ * group_slots / 8 * 7;
    larger.clear(); // the source's pages need not be zero
    for_each([&](const LiveRecord& record) { larger.insert(pages, record); });
    const GrowthLock lock;
    if (slots_ != nullptr) {
        pages.unmap(pages.source, slots_, mapped_bytes_);
    }
    *this = larger;
    return true;
}

bool PastBlocks::open(const PageCalls& pages) noexcept {
    if (slot_count_ == 0) {
        return false;
    }
    ring_ = static_cast<PastRecord*>(pages.map(pages.source, ring_bytes()));
    return ring_ != nullptr;
}

void PastBlocks::close(const PageCalls& pages) noexcept {
    if (ring_ != nullptr) {
        pages.unmap(pages.source, ring_, ring_bytes());
        ring_ = nullptr;
    }
}

} // namespace alloclab::tracing
