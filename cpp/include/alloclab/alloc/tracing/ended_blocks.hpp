// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_annotate.hpp>
#include <alloclab/alloc/debug_fill.hpp>
#include <alloclab/alloc/tracing/live_table.hpp>

#include <algorithm>

namespace alloclab::tracing {

// The last blocks that were freed or handed to another owner, for naming both sites of a mistake.
struct PastRecord {
    std::uint64_t key;
    std::uint64_t size;
    std::uint64_t site;
    std::uint64_t end_site; // with `transferred_bit` where it was handed on, not freed
    static constexpr std::uint64_t transferred_bit = std::uint64_t{1} << 62;
};
static_assert(sizeof(PastRecord) == 32);

// A ring of them; the oldest is forgotten.
class PastBlocks {
public:
    explicit PastBlocks(std::size_t wanted_count) noexcept
        : slot_count_(wanted_count == 0 ? 0 : std::bit_ceil(wanted_count)) {}

    [[gnu::always_inline]] void add(const PageCalls& pages, const LiveRecord& record,
                                    std::uint64_t end_site, bool is_transferred) noexcept {
        if (ring_ != nullptr || open(pages)) [[likely]] {
            ring_[added_++ & (slot_count_ - 1)] = {
                record.key, record.size, record.site,
                end_site | (is_transferred ? PastRecord::transferred_bit : 0)};
        }
    }
    // The youngest that `matches`, or null. Cost: O(slots).
    template <class Matches> const PastRecord* find(Matches&& matches) const noexcept {
        for (std::size_t age = 1; ring_ != nullptr && age <= slot_count_ && age <= added_; ++age) {
            const PastRecord& record = ring_[(added_ - age) & (slot_count_ - 1)];
            if (matches(record)) {
                return &record;
            }
        }
        return nullptr;
    }
    std::size_t mapped_bytes() const noexcept { return ring_ != nullptr ? ring_bytes() : 0; }
    void close(const PageCalls& pages) noexcept;

private:
    std::size_t ring_bytes() const noexcept {
        return align_up(slot_count_ * sizeof(PastRecord), page_bytes);
    }
    [[gnu::noinline, gnu::cold]] bool open(const PageCalls& pages) noexcept;

    PastRecord* ring_ = nullptr;
    std::size_t slot_count_;
    std::size_t added_ = 0;
};

// Blocks that a reset ended while their memory stays mapped: filled, told to the checkers outside,
// and looked at before that memory is handed out again. Guards that are put around the new blocks
// do not count as damage.
//   blocks_ is sorted by address; of a block whose memory is in use again only what lies after the
//   new block is left, and its `birth` is `partly_used`
class EndedBlocks {
public:
    // Takes over what was live. Called before the allocator's own reset: `add` each, then `fill`;
    // after it `settle`, which drops what is no longer mapped.
    bool add(const PageCalls& pages, const LiveRecord& record) noexcept {
        return blocks_.push(pages, record);
    }
    void fill() noexcept;
    void settle(std::uint64_t reset_site) noexcept;

    bool is_empty() const noexcept { return blocks_.size() == 0; }
    std::uint64_t reset_site() const noexcept { return reset_site_; }
    // The ended block that holds the address, or null.
    const LiveRecord* find(const void* address) const noexcept;
    // Looks at what a new block takes of ended ones; `report(record, damage)` for each that was
    // written. Cost: O(log blocks), and once the blocks themselves.
    template <class Report>
    void take_back(const void* memory, std::size_t size, Report&& report) noexcept;
    // Looks at all of them.
    template <class Report> void check(Report&& report) noexcept;

    std::size_t mapped_bytes() const noexcept { return blocks_.mapped_bytes(); }
    // Tells the checkers outside that the memory is usable again, and forgets the blocks.
    void forget() noexcept;
    void close(const PageCalls& pages) noexcept;

private:
    static constexpr std::uint64_t partly_used = UINT64_MAX;

    // The bytes of [first, last) that are damaged, counted from the start of the record.
    DamagedBytes look(const LiveRecord& record, std::uint64_t first,
                      std::uint64_t last) const noexcept;
    std::size_t last_starting_before(std::uint64_t address) const noexcept;

    PageArray<LiveRecord> blocks_;
    std::uint64_t reset_site_ = 0;
};

template <class Report>
void EndedBlocks::take_back(const void* memory, std::size_t size, Report&& report) noexcept {
    const auto first = reinterpret_cast<std::uint64_t>(memory);
    const std::uint64_t last = first + size;
    annotate_readable(memory, size);
    for (std::size_t idx = last_starting_before(first); idx < blocks_.size(); ++idx) {
        LiveRecord& record = blocks_[idx];
        const std::uint64_t start = record.key & address_mask;
        const std::uint64_t end = start + record.size;
        if (start >= last) {
            break;
        }
        if (end <= first) {
            continue;
        }
        const DamagedBytes damage = look(record, std::max(start, first), std::min(end, last));
        if (damage.count != 0) {
            report(record, damage);
        }
        const std::uint64_t left = end > last ? end - last : 0;
        record.key += end - left - start;
        record.size = left;
        record.birth = partly_used;
    }
    annotate_usable(memory, size);
}

template <class Report> void EndedBlocks::check(Report&& report) noexcept {
    for (LiveRecord& record : blocks_) {
        if (record.birth == partly_used) {
            continue;
        }
        const std::uint64_t start = record.key & address_mask;
        annotate_readable(block_of(record), record.size);
        const DamagedBytes damage = look(record, start, start + record.size);
        if (damage.count != 0) {
            report(record, damage);
            record.birth = partly_used; // reported once
        } else {
            annotate_ended(block_of(record), record.size);
        }
    }
}

} // namespace alloclab::tracing
