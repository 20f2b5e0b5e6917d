// SPDX-License-Identifier: MIT
#include <alloclab/record/edge_roots.hpp>

#include <alloclab/record/block_map.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/memory_maps.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/stack_reader.hpp>

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
constexpr std::size_t most_mappings = 4096;

struct Range {
    std::uintptr_t begin;
    std::uintptr_t end;
};

struct Tables {
    Root roots[root_slots];
    Range ranges[most_mappings];
    std::size_t root_count;
    std::size_t range_count;
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

// Lists the written private mappings of files, and what lies right behind them (bss): not ours.
void list_data() {
    const auto own = reinterpret_cast<std::uintptr_t>(&process);
    tables->range_count = 0;
    visit_mappings([own](const Mapping& mapping) {
        const bool is_ours = mapping.start <= own && own < mapping.end;
        if ((mapping.is_object() || mapping.is_bss) && mapping.is_writable && mapping.is_private &&
            !is_ours && tables->range_count < most_mappings)
            tables->ranges[tables->range_count++] = {mapping.start, mapping.end};
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
    list_data();
    OwnStack own{};
    const auto sp = reinterpret_cast<std::uintptr_t>(frame_address) & ~std::uintptr_t{7};
    if (reach_down(own, sp) && tables->range_count < most_mappings)
        tables->ranges[tables->range_count++] = {sp, own.top};
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
}

} // namespace alloclab::record
