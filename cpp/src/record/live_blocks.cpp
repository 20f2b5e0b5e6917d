// SPDX-License-Identifier: MIT
#include <alloclab/record/live_blocks.hpp>

#include <alloclab/record/process.hpp>
#include <alloclab/record/recorder.hpp>

#include <cstring>

namespace alloclab::record {

std::uint8_t block_filter[filter_slots];
std::uint8_t second_filter[filter_slots];
static_assert(filter_slots == std::size_t{1} << (64 - 53), "second_slot() keeps eleven bits");

namespace {

constexpr std::size_t block_capacity = 1 << 16; // slots; a quarter stays free for short probes
constexpr std::size_t block_most = block_capacity / 4 * 3;
constexpr std::size_t region_most = 1 << 15;

struct Tables {
    Range blocks[block_capacity]; // open addressing, linear probing
    Range regions[region_most];   // sorted, disjoint
    std::size_t block_count;
    std::size_t region_count;
};

Tables* tables;
RareLock lock;

Tables* ensure_tables() {
    if (tables == nullptr)
        tables = static_cast<Tables*>(map_shared(sizeof(Tables)));
    return tables;
}

// The tables are shared memory: a child's are its parent's until it is told to forget them.
void leave_parents_tables() {
    if (is_unnoticed_child())
        enter_forked_child();
}

std::size_t home_slot(const void* p) {
    return (reinterpret_cast<std::uintptr_t>(p) >> 4) * 0x9e3779b97f4a7c15U >> 48;
}

// The slot of `p`, or the free one where it would go.
std::size_t find_slot(const void* p) {
    std::size_t slot = home_slot(p);
    while (tables->blocks[slot].p != nullptr && tables->blocks[slot].p != p)
        slot = (slot + 1) % block_capacity;
    return slot;
}

// Removes an entry by moving later ones of its run up (Knuth 6.4, algorithm R).
void vacate(std::size_t slot) {
    Range* const blocks = tables->blocks;
    std::size_t hole = slot;
    for (std::size_t next = (slot + 1) % block_capacity; blocks[next].p != nullptr;
         next = (next + 1) % block_capacity) {
        const std::size_t home = home_slot(blocks[next].p);
        if ((next - home) % block_capacity >= (next - hole) % block_capacity) {
            blocks[hole] = blocks[next];
            hole = next;
        }
    }
    blocks[hole] = {};
}

void add_to(std::uint8_t& count, int difference) {
    if (count != UINT8_MAX)
        count = static_cast<std::uint8_t>(count + difference);
}

void add_to_filters(const void* p, int difference) {
    add_to(block_filter[filter_slot(p)], difference);
    add_to(second_filter[second_slot(p)], difference);
}

std::uintptr_t begin_of(const Range& range) {
    return reinterpret_cast<std::uintptr_t>(range.p);
}
std::uintptr_t end_of(const Range& range) {
    return begin_of(range) + range.size;
}

// The first region that ends above `address`.
std::size_t first_above(std::uintptr_t address) {
    std::size_t low = 0;
    std::size_t high = tables->region_count;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (end_of(tables->regions[middle]) > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void insert_region(std::size_t at, const Range& region) {
    if (tables->region_count == region_most)
        return;
    Range* const regions = tables->regions;
    std::memmove(regions + at + 1, regions + at, (tables->region_count - at) * sizeof(Range));
    regions[at] = region;
    ++tables->region_count;
}

void erase_region(std::size_t at) {
    Range* const regions = tables->regions;
    std::memmove(regions + at, regions + at + 1, (tables->region_count - at - 1) * sizeof(Range));
    --tables->region_count;
}

void cut_regions(std::uintptr_t begin, std::uintptr_t end) {
    for (std::size_t at = first_above(begin);
         at < tables->region_count && begin_of(tables->regions[at]) < end;) {
        const Range region = tables->regions[at];
        const bool has_left = begin_of(region) < begin;
        const bool has_right = end_of(region) > end;
        if (has_left)
            tables->regions[at++].size = begin - begin_of(region);
        if (has_right) {
            const Range right{reinterpret_cast<void*>(end), end_of(region) - end};
            if (has_left)
                insert_region(at, right);
            else
                tables->regions[at] = right;
            return;
        }
        if (!has_left)
            erase_region(at);
    }
}

} // namespace

void mark_in_filter(const void* p) {
    block_filter[filter_slot(p)] = UINT8_MAX;
    second_filter[second_slot(p)] = UINT8_MAX;
}

bool track_block(void* p, std::size_t size) {
    RareGuard guard(lock);
    if (ensure_tables() == nullptr || tables->block_count >= block_most)
        return false;
    const std::size_t slot = find_slot(p);
    if (tables->blocks[slot].p == nullptr) {
        ++tables->block_count;
        add_to_filters(p, 1);
    }
    tables->blocks[slot] = {p, size};
    return true;
}

std::size_t untrack_block(void* p) {
    leave_parents_tables();
    RareGuard guard(lock);
    if (tables == nullptr)
        return 0;
    const std::size_t slot = find_slot(p);
    if (tables->blocks[slot].p == nullptr)
        return 0;
    const std::size_t size = tables->blocks[slot].size;
    vacate(slot);
    --tables->block_count;
    add_to_filters(p, -1);
    return size;
}

void track_region(void* p, std::size_t size) {
    RareGuard guard(lock);
    if (ensure_tables() == nullptr || size == 0)
        return;
    const auto begin = reinterpret_cast<std::uintptr_t>(p);
    cut_regions(begin, begin + size);
    insert_region(first_above(begin), {p, size});
}

void untrack_region(void* p, std::size_t size) {
    leave_parents_tables();
    RareGuard guard(lock);
    const auto begin = reinterpret_cast<std::uintptr_t>(p);
    if (tables != nullptr)
        cut_regions(begin, begin + size);
}

Range tracked_part(void* p, std::size_t size) {
    leave_parents_tables();
    RareGuard guard(lock);
    if (tables == nullptr)
        return {};
    const auto begin = reinterpret_cast<std::uintptr_t>(p);
    const std::size_t at = first_above(begin);
    if (at == tables->region_count || begin_of(tables->regions[at]) >= begin + size)
        return {};
    const Range region = tables->regions[at];
    const std::uintptr_t first = begin_of(region) > begin ? begin_of(region) : begin;
    const std::uintptr_t last = end_of(region) < begin + size ? end_of(region) : begin + size;
    return {reinterpret_cast<void*>(first), last - first};
}

Range next_tracked(std::size_t& cursor) {
    RareGuard guard(lock);
    if (tables == nullptr)
        return {};
    for (; cursor < block_capacity; ++cursor)
        if (tables->blocks[cursor].p != nullptr)
            return tables->blocks[cursor++];
    const std::size_t region_idx = cursor - block_capacity;
    if (region_idx >= tables->region_count)
        return {};
    ++cursor;
    return tables->regions[region_idx];
}

void forget_tracked() {
    lock.reset();
    if (tables != nullptr)
        unmap_memory(tables, sizeof(Tables));
    tables = nullptr;
    std::memset(block_filter, 0, sizeof block_filter);
    std::memset(second_filter, 0, sizeof second_filter);
}

} // namespace alloclab::record
