// SPDX-License-Identifier: MIT
#include "known_blocks.hpp"

#include <alloclab/record/system_call.hpp>

#include <atomic>
#include <cstddef>

namespace alloclab::recording {

namespace {

using Word = std::atomic<std::uint64_t>;

constexpr unsigned granule_shift = 4;
constexpr unsigned leaf_shift = 30; // a leaf tells of a gibibyte
constexpr unsigned address_bits = 47;
constexpr unsigned word_bits = 64;
constexpr std::size_t leaf_bytes = std::size_t{1} << (leaf_shift - granule_shift - 3);

std::atomic<Word*> leaves[std::size_t{1} << (address_bits - leaf_shift)];

struct Place {
    std::size_t leaf;
    std::size_t word;
    std::uint64_t bit;
};

bool find_place(const void* p, Place& place) {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    if ((address & ((1U << granule_shift) - 1)) != 0 || address >> address_bits != 0)
        return false;
    const std::uintptr_t granule =
        (address & ((std::uintptr_t{1} << leaf_shift) - 1)) >> granule_shift;
    place = {address >> leaf_shift, granule / word_bits, std::uint64_t{1} << granule % word_bits};
    return true;
}

Word* make_leaf(std::size_t leaf_idx) {
    void* const mapped = record::map_shared(leaf_bytes);
    auto* const leaf = static_cast<Word*>(mapped);
    Word* there = nullptr;
    if (leaf == nullptr || leaves[leaf_idx].compare_exchange_strong(there, leaf))
        return leaf;
    record::unmap_memory(leaf, leaf_bytes);
    return there;
}

} // namespace

bool add_known(const void* p) {
    Place place{};
    if (!find_place(p, place))
        return false;
    Word* leaf = leaves[place.leaf].load(std::memory_order_acquire);
    if (leaf == nullptr && (leaf = make_leaf(place.leaf)) == nullptr)
        return false;
    leaf[place.word].fetch_or(place.bit, std::memory_order_relaxed);
    return true;
}

bool take_known(const void* p) {
    Place place{};
    if (!find_place(p, place))
        return true;
    Word* const leaf = leaves[place.leaf].load(std::memory_order_acquire);
    if (leaf == nullptr || (leaf[place.word].load(std::memory_order_relaxed) & place.bit) == 0)
        return false;
    leaf[place.word].fetch_and(~place.bit, std::memory_order_relaxed);
    return true;
}

void forget_known() {
    for (std::atomic<Word*>& leaf : leaves) {
        if (Word* const mapped = leaf.exchange(nullptr))
            record::unmap_memory(mapped, leaf_bytes);
    }
}

} // namespace alloclab::recording
