// SPDX-License-Identifier: MIT
#include <alloclab/record/edge_roots.hpp>

#include <alloclab/record/block_map.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/memory_maps.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/thread_stacks.hpp>

#include <cstring>

namespace alloclab::record {

namespace {

// A word outside the heap that has pointed into a block. Its place in the table of slots is found
// by its address; its number is the count of those before it.
struct Root {
    std::uintptr_t address; // 0: none
    std::uint32_t number;
    WordId target;
    std::uint64_t epoch; // that last saw it point into a block
};
constexpr std::size_t root_slots = 1 << 20;
constexpr std::size_t most_roots = root_slots / 4 * 3;
constexpr std::size_t most_ranges = 16384;
constexpr std::size_t most_stacks = 4096;
// A stack whose end is not known ends here at the latest; thread-local variables begin here.
constexpr std::uintptr_t most_stack_bytes = std::uintptr_t{64} << 20;
constexpr std::uintptr_t most_local_bytes = std::uintptr_t{1} << 20;

struct Range {
    std::uintptr_t begin;
    std::uintptr_t end;
};

struct Tables {
    Root roots[root_slots];
    Range ranges[most_ranges];
    StackPlace stacks[most_stacks];
    std::size_t root_count;
    std::size_t range_count;
    std::size_t stack_count;
    std::uint64_t epoch;
};
Tables* tables;

Root* find_root(std::uintptr_t address) {
    std::size_t slot = (address >> 3) * 0x9e3779b97f4a7c15U >> 44;
    while (tables->roots[slot].address != 0 && tables->roots[slot].address != address)
        slot = (slot + 1) % root_slots;
    Root& root = tables->roots[slot];
    if (root.address == 0) {
        if (tables->root_count == most_roots)
            return nullptr;
        root.number = static_cast<std::uint32_t>(tables->root_count++);
        root.address = address;
    }
    return &root;
}

void tell(const Root& root) {
    record_root_set(root.number, root.target != 0
                                     ? reinterpret_cast<const void*>(address_of(root.target))
                                     : nullptr);
    ++process.header->edge_roots;
}

void search_word(std::uintptr_t address, std::uintptr_t word) {
    const WordId target = find_block(word);
    if (target == 0 || find_block(address) != 0) // a word of a block is no root
        return;
    Root* const root = find_root(address);
    if (root == nullptr)
        return;
    const bool has_changed = root->target != target || is_fresh_block(target);
    root->target = target;
    root->epoch = tables->epoch;
    if (has_changed)
        tell(*root);
}

void add_range(std::uintptr_t begin, std::uintptr_t end) {
    if (tables->range_count < most_ranges)
        tables->ranges[tables->range_count++] = {begin & ~std::uintptr_t{7}, end};
}

// What of a thread lies in this mapping: its stack with the thread-local variables above it, or
// those alone where they lie elsewhere (the first thread's).
void add_stack(const StackPlace& place, const Mapping& mapping) {
    const bool has_control = mapping.start < place.control && place.control < mapping.end;
    if (mapping.start <= place.sp && place.sp < mapping.end) {
        const std::uintptr_t most = place.sp + most_stack_bytes;
        const std::uintptr_t end = mapping.end < most ? mapping.end : most;
        add_range(place.sp, has_control && place.control > place.sp ? place.control : end);
    } else if (has_control) {
        const std::uintptr_t bytes = place.control - mapping.start;
        add_range(place.control - (bytes < most_local_bytes ? bytes : most_local_bytes),
                  place.control);
    }
}

// Lists the written private mappings of files, and what lies right behind them (bss): not ours.
// Beside them the stacks of all threads.
void list_ranges(const void* frame_address) {
    const auto own = reinterpret_cast<std::uintptr_t>(&process);
    tables->range_count = 0;
    tables->stack_count = find_stacks(frame_address, tables->stacks, most_stacks);
    visit_mappings([own](const Mapping& mapping) {
        if (!mapping.is_writable || !mapping.is_private ||
            (mapping.start <= own && own < mapping.end))
            return;
        if (mapping.is_object() || mapping.is_bss)
            return add_range(mapping.start, mapping.end);
        for (std::size_t stack_idx = 0; stack_idx < tables->stack_count; ++stack_idx)
            add_stack(tables->stacks[stack_idx], mapping);
    });
}

} // namespace

void search_roots(const void* frame_address, unsigned char* buffer, std::size_t buffer_bytes,
                  std::size_t (*read)(std::uintptr_t from, std::size_t bytes)) {
    if (tables == nullptr)
        tables = static_cast<Tables*>(map_shared(sizeof(Tables)));
    if (tables == nullptr)
        return;
    ++tables->epoch;
    list_ranges(frame_address);
    for (std::size_t range_idx = 0; range_idx < tables->range_count; ++range_idx) {
        const Range range = tables->ranges[range_idx];
        for (std::uintptr_t from = range.begin; from < range.end; from += buffer_bytes) {
            const std::size_t wanted =
                range.end - from < buffer_bytes ? range.end - from : buffer_bytes;
            const std::size_t got = read(from, wanted);
            for (std::size_t at = 0; at + 8 <= got; at += 8) {
                std::uintptr_t word = 0;
                std::memcpy(&word, buffer + at, sizeof word);
                search_word(from + at, word);
            }
        }
    }
    for (Root& root : tables->roots) {
        if (root.target == 0 || root.epoch == tables->epoch)
            continue;
        root.target = 0;
        tell(root);
    }
}

void forget_roots() {
    if (tables != nullptr)
        unmap_memory(tables, sizeof(Tables));
    tables = nullptr;
    forget_stacks();
}

} // namespace alloclab::record
