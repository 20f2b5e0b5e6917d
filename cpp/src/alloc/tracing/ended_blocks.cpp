// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/ended_blocks.hpp>

#include <alloclab/alloc/guard.hpp>

#include <sys/mman.h>

namespace alloclab::tracing {
namespace {

bool is_by_address(const LiveRecord& one, const LiveRecord& other) noexcept {
    return (one.key & address_mask) < (other.key & address_mask);
}

// Whether every page of [first, last) is still mapped.
bool is_mapped(std::uint64_t first, std::uint64_t last) noexcept {
    constexpr std::size_t most_pages = 512;
    unsigned char residence[most_pages];
    for (std::uint64_t page = align_down(first, page_bytes); page < last;
         page += most_pages * page_bytes) {
        const std::size_t bytes = std::min(last - page, most_pages * page_bytes);
        if (::mincore(reinterpret_cast<void*>(page), bytes, residence) != 0) {
            return false;
        }
    }
    return true;
}

} // namespace

void EndedBlocks::fill() noexcept {
    std::sort(blocks_.begin(), blocks_.end(), is_by_address);
    for (const LiveRecord& record : blocks_) {
        std::memset(block_of(record), freed_fill, record.size);
    }
}

// Asks about neighbours together: one question for what lies within a page of each other.
void EndedBlocks::settle(std::uint64_t reset_site) noexcept {
    reset_site_ = reset_site;
    std::size_t kept = 0;
    for (std::size_t idx = 0; idx < blocks_.size();) {
        const std::uint64_t first = blocks_[idx].key & address_mask;
        std::uint64_t last = first;
        std::size_t after = idx;
        while (after < blocks_.size() && (blocks_[after].key & address_mask) < last + page_bytes) {
            last = (blocks_[after].key & address_mask) + blocks_[after].size;
            ++after;
        }
        const bool is_kept = is_mapped(first, last);
        for (; idx < after; ++idx) {
            if (is_kept) {
                annotate_ended(block_of(blocks_[idx]), blocks_[idx].size);
                blocks_[kept++] = blocks_[idx];
            }
        }
    }
    blocks_.truncate(kept);
}

std::size_t EndedBlocks::last_starting_before(std::uint64_t address) const noexcept {
    const auto* const after = std::upper_bound(blocks_.begin(), blocks_.end(), address,
                                               [](std::uint64_t value, const LiveRecord& record) {
                                                   return value < (record.key & address_mask);
                                               });
    return after == blocks_.begin() ? 0 : static_cast<std::size_t>(after - blocks_.begin()) - 1;
}

const LiveRecord* EndedBlocks::find(const void* address) const noexcept {
    if (is_empty()) {
        return nullptr;
    }
    const auto wanted = reinterpret_cast<std::uint64_t>(address);
    const LiveRecord& record = blocks_[last_starting_before(wanted)];
    const std::uint64_t start = record.key & address_mask;
    return start <= wanted && wanted < start + std::max<std::uint64_t>(record.size, 1) ? &record
                                                                                       : nullptr;
}

// Memory that reads as zero throughout was given back to the system meanwhile.
DamagedBytes EndedBlocks::look(const LiveRecord& record, std::uint64_t first,
                               std::uint64_t last) const noexcept {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(first);
    const std::size_t size = last - first;
    const auto is_damaged = [bytes](std::size_t idx) {
        return bytes[idx] != freed_fill && bytes[idx] != guard_fill;
    };
    std::size_t damage_first = 0;
    while (damage_first < size && !is_damaged(damage_first)) {
        ++damage_first;
    }
    std::size_t damage_last = size;
    while (damage_last > damage_first && !is_damaged(damage_last - 1)) {
        --damage_last;
    }
    if (damage_last - damage_first == size && find_damage(bytes, size, 0).count == 0) {
        return {};
    }
    return {damage_first + first - (record.key & address_mask), damage_last - damage_first};
}

void EndedBlocks::forget() noexcept {
    for (const LiveRecord& record : blocks_) {
        annotate_usable(block_of(record), record.size);
    }
    blocks_.clear();
}

void EndedBlocks::close(const PageCalls& pages) noexcept {
    forget();
    blocks_.close(pages);
}

} // namespace alloclab::tracing
