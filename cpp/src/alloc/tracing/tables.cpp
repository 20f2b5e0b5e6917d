// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/core.hpp>

#include <algorithm>

namespace alloclab::tracing {

bool LiveTable::contains_relaxed(const void* block) const noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(block);
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
        const std::uint64_t key = std::atomic_ref(slots_[slot].key).load(std::memory_order_relaxed);
        if ((key & address_mask) == address) {
            return true;
        }
    }
    return false;
}

void LiveTable::clear() noexcept {
    if (slots_ != nullptr) {
        std::memset(static_cast<void*>(slots_), 0, capacity_ * sizeof(LiveRecord));
    }
    size_ = 0;
}

void LiveTable::close(const PageCalls& pages) noexcept {
    const GrowthLock lock;
    if (slots_ != nullptr) {
        pages.unmap(pages.source, slots_, mapped_bytes_);
    }
    slots_ = nullptr;
    capacity_ = size_ = limit_ = mapped_bytes_ = 0;
}

[[gnu::noinline, gnu::cold]] bool LiveTable::grow(const PageCalls& pages) noexcept {
    constexpr std::size_t first_bytes = 4 * page_bytes;
    LiveTable larger;
    larger.mapped_bytes_ =
        mapped_bytes_ == 0 ? first_bytes : align_up(mapped_bytes_ + mapped_bytes_ / 4, page_bytes);
    larger.slots_ = static_cast<LiveRecord*>(pages.map(pages.source, larger.mapped_bytes_));
    if (larger.slots_ == nullptr) {
        return false;
    }
    larger.capacity_ = larger.mapped_bytes_ / sizeof(LiveRecord);
    larger.limit_ = larger.capacity_ / 20 * 13;
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
