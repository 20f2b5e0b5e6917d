// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace alloclab::pool {

// The sizes a pool hands out. Slab classes: every 16 bytes up to 128, then 8 to a doubling up to
// 1 KiB, cut from slabs; other spacings can be chosen, see `SizeClassTable`. Mid classes: every 512
// bytes up to 8 KiB, a run of their own each. Both go through the thread caches. Larger blocks are
// runs of whole units and have no class.

inline constexpr std::size_t unit_bytes = 512; // the granule of the heap
inline constexpr std::uint32_t units_per_page = page_bytes / unit_bytes;
inline constexpr std::size_t slab_max_bytes = 1024;  // largest size cut from slabs
inline constexpr std::size_t small_max_bytes = 8192; // largest size that has a class
inline constexpr std::uint32_t max_classes_per_doubling = 16;

// What a unit of the heap belongs to: 0 nothing, a size class from 1 on, or a large run. Only the
// first and the last unit of a run that is not a slab are marked.
using Kind = std::uint8_t;

struct SizeClass {
    std::uint32_t block_bytes = 0;
    std::uint32_t reciprocal = 0;   // ceil(2^32 / block_bytes): a division of a slab offset by it
    std::uint16_t run_units = 0;    // of its slab, or of its one block
    std::uint16_t block_count = 0;  // in a slab; 1 for a mid class
    std::uint16_t cache_count = 0;  // blocks a thread cache keeps
    std::uint16_t cache_offset = 0; // where they stand among the cache's slots
};

// The slab class of a size, with `spacing` (a power of two) classes a doubling: every 16 bytes up
// to 16 times that, for closer ones there are none. Requires: size <= slab_max_bytes.
constexpr std::uint32_t slab_class_of(std::size_t size, std::uint32_t spacing) {
    if (size <= std::size_t{16} * spacing) {
        return size <= 16 ? 1 : static_cast<std::uint32_t>((size + 15) / 16);
    }
    const auto step_bits = static_cast<std::uint32_t>(std::countr_zero(spacing));
    const auto doubling = static_cast<std::uint32_t>(std::bit_width(size - 1) - 1);
    const auto step =
        static_cast<std::uint32_t>((size - 1) >> (doubling - step_bits)) & (spacing - 1);
    return spacing + 1 + (doubling - 4 - step_bits) * spacing + step;
}

// As many as the closest spacing makes: what is sized by these has room for any.
inline constexpr std::uint32_t max_slab_class_count =
    slab_class_of(slab_max_bytes, max_classes_per_doubling);
inline constexpr std::uint32_t mid_class_count = (small_max_bytes - slab_max_bytes) / unit_bytes;
inline constexpr std::uint32_t max_class_count = max_slab_class_count + mid_class_count;
inline constexpr Kind free_kind = 0;
inline constexpr Kind large_kind = max_class_count + 1;
inline constexpr Kind tail_kind = max_class_count + 2; // last unit of a run that is not a slab
inline constexpr std::uint32_t kind_count = max_class_count + 3;
static_assert(kind_count <= 255);

inline constexpr std::uint32_t slab_max_blocks = 128; // bits in a slab's record

// Slabs are about this long: shorter ones refill the caches too often, longer ones gain nothing.
inline constexpr std::size_t slab_goal_bytes = 8192;
inline constexpr std::size_t slab_min_blocks = 6;
// What a thread keeps of a class: enough to ride out bursts, little enough not to show in the peak.
inline constexpr std::size_t cache_goal_bytes = 8192;
inline constexpr std::size_t cache_max_blocks = 127;
inline constexpr std::size_t cache_min_blocks = 4;
inline constexpr std::size_t mid_cache_goal_bytes = 16384;

// The length of a class's slab: from the goal to half as much again, wherever the waste at the end
// is least for its length.
constexpr std::uint32_t slab_units_for(std::size_t block_bytes) {
    const std::size_t wanted_bytes = slab_goal_bytes / block_bytes < slab_min_blocks
                                         ? slab_min_blocks * block_bytes
                                         : slab_goal_bytes;
    std::size_t units = wanted_bytes / unit_bytes;
    while (units * unit_bytes / block_bytes > slab_max_blocks) {
        --units;
    }
    std::size_t best_units = units;
    std::size_t least_waste = ~std::size_t{0};
    for (std::size_t tried = units; tried <= units + units / 2; ++tried) {
        if (tried * unit_bytes / block_bytes > slab_max_blocks) {
            break;
        }
        const std::size_t waste =
            tried * unit_bytes % block_bytes * page_bytes / (tried * unit_bytes);
        // A longer slab must save more than a 512th, or it is not worth its length.
        if (least_waste == ~std::size_t{0} || waste + page_bytes / 512 < least_waste) {
            least_waste = waste;
            best_units = tried;
        }
    }
    return static_cast<std::uint32_t>(best_units);
}

constexpr std::uint16_t cache_count_for(std::size_t block_bytes, bool is_mid) {
    const std::size_t fitting = (is_mid ? mid_cache_goal_bytes : cache_goal_bytes) / block_bytes;
    const std::size_t least = is_mid ? 1 : cache_min_blocks;
    const std::size_t most = is_mid ? cache_min_blocks : cache_max_blocks;
    return static_cast<std::uint16_t>(fitting < least ? least : fitting > most ? most : fitting);
}

// The length of a class's row in a thread cache. A size is looked up as the offset of its row,
// which is what the fast paths want of it.
inline constexpr std::uint32_t row_bytes = 32;

// The classes of one pool, with 1, 2, 4, 8 or 16 of them a doubling: more lose less inside blocks
// and have more free blocks lie about.
//   classes 1 to slab_class_count are slab classes, those up to class_count mid classes; each class
//   is larger than the one before
struct SizeClassTable {
    std::array<SizeClass, kind_count> classes{};
    // The class of 16 * index bytes, times row_bytes.
    std::array<std::uint16_t, small_max_bytes / 16 + 1> by_sixteenth{};
    std::size_t classes_per_doubling;
    std::uint32_t slab_class_count = 0;
    std::uint32_t class_count = 0;
    std::size_t cache_slot_count = 0;

    // Requires: 1, 2, 4, 8 or 16.
    constexpr explicit SizeClassTable(std::size_t wanted) : classes_per_doubling(wanted) {
        const auto spacing = static_cast<std::uint32_t>(wanted);
        slab_class_count = slab_class_of(slab_max_bytes, spacing);
        class_count = slab_class_count + mid_class_count;
        by_sixteenth[0] = row_bytes;
        for (std::size_t size = 16; size <= small_max_bytes; size += 16) {
            const std::uint32_t class_idx =
                size <= slab_max_bytes
                    ? slab_class_of(size, spacing)
                    : slab_class_count + static_cast<std::uint32_t>(
                                             (size - slab_max_bytes + unit_bytes - 1) / unit_bytes);
            by_sixteenth[size / 16] = static_cast<std::uint16_t>(row_bytes * class_idx);
            classes[class_idx].block_bytes = static_cast<std::uint32_t>(size); // the largest stays
        }
        for (std::uint32_t class_idx = 1; class_idx <= class_count; ++class_idx) {
            fill(classes[class_idx], is_mid(class_idx));
        }
    }

    constexpr bool is_mid(std::uint32_t class_idx) const { return class_idx > slab_class_count; }
    // The class of a size, times row_bytes. Requires: size <= small_max_bytes.
    std::uint32_t row_offset_of(std::size_t size) const { return by_sixteenth[(size + 15) / 16]; }
    // The class of a size. Requires: size <= small_max_bytes.
    std::uint32_t class_of(std::size_t size) const { return row_offset_of(size) / row_bytes; }
    // The size of the smallest class for `size` whose blocks all stand at multiples of `alignment`,
    // or 0: slabs and mid runs start on units, so it is a class whose size is a multiple of it.
    std::size_t aligned_class_bytes(std::size_t size, std::size_t alignment) const;

private:
    constexpr void fill(SizeClass& size_class, bool is_mid) {
        const std::uint64_t size = size_class.block_bytes;
        size_class.reciprocal =
            static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + size - 1) / size);
        size_class.run_units =
            static_cast<std::uint16_t>(is_mid ? size / unit_bytes : slab_units_for(size));
        size_class.block_count =
            static_cast<std::uint16_t>(size_class.run_units * unit_bytes / size);
        size_class.cache_count = cache_count_for(size, is_mid);
        // A null stands before each class's blocks: an empty cache is told by popping it.
        size_class.cache_offset = static_cast<std::uint16_t>(cache_slot_count);
        cache_slot_count += size_class.cache_count + 1U;
    }
};

// Of the default spacing: copied, where working the classes out would take as long as opening a
// pool twenty times.
inline constexpr SizeClassTable default_size_classes(8);

constexpr SizeClassTable size_classes_of(std::size_t classes_per_doubling) {
    return classes_per_doubling == default_size_classes.classes_per_doubling
               ? default_size_classes
               : SizeClassTable(classes_per_doubling);
}

inline std::size_t SizeClassTable::aligned_class_bytes(std::size_t size,
                                                       std::size_t alignment) const {
    if (size > small_max_bytes || alignment > unit_bytes) {
        return 0;
    }
    size = size == 0 ? 1 : size;
    for (std::size_t tried = align_up(size, alignment); tried <= small_max_bytes;
         tried += alignment) {
        const std::size_t block_bytes = classes[class_of(tried)].block_bytes;
        if (block_bytes % alignment == 0) {
            return block_bytes;
        }
    }
    return 0;
}

} // namespace alloclab::pool
