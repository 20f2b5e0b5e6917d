// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/size_classes.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/vm/page_source.hpp>

#include <atomic>
#include <cstring>

namespace alloclab::pool {

// What is free in a slab, apart from it, so that no block is touched to hand it out or to take it
// back.
//   free_count = number of ones in free_bits <= block_count of its class
struct SlabRecord {
    std::uint32_t next;
    std::uint32_t previous;
    std::uint32_t unit;
    std::uint16_t free_count;
    Kind kind;
    bool is_listed;
    std::uint64_t free_bits[2];
};
static_assert(sizeof(SlabRecord) == 32);

// One range of address space with its tables behind it: memory in units of 512 bytes, then a kind
// and a tag a unit, then slab records. The kind of any address tells its block's size, so blocks
// have no headers. A tag means: in a slab the number of its record; at the start of a large run its
// length in units; at both ends of a free run see FreeRuns.
// Unit 0 is never used, so 0 says "none".
struct Region {
    std::byte* base = nullptr;
    std::atomic<std::size_t> memory_bytes{0}; // 0 until opened; written last
    Kind* kinds = nullptr;
    std::uint32_t* tags = nullptr;
    SlabRecord* slabs = nullptr;
    std::size_t mapped_bytes = 0;

    std::byte* address_of(std::uint32_t unit) const noexcept {
        return base + std::size_t{unit} * unit_bytes;
    }
    std::size_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base);
    }
    std::uint32_t unit_of(const void* address) const noexcept {
        return static_cast<std::uint32_t>(offset_of(address) / unit_bytes);
    }
    bool contains(const void* address) const noexcept {
        return offset_of(address) < memory_bytes.load(std::memory_order_acquire);
    }
    // `contains`, and the kind of the unit that holds `address` if so; the base is read once.
    bool find_kind(const void* address, Kind& kind) const noexcept {
        const std::size_t bytes = memory_bytes.load(std::memory_order_acquire);
        const std::size_t offset = offset_of(address);
        if (offset >= bytes) [[unlikely]] {
            return false;
        }
        kind = kinds[offset / unit_bytes];
        return true;
    }
    bool is_open() const noexcept { return memory_bytes.load(std::memory_order_acquire) != 0; }
    std::uint32_t unit_count() const noexcept {
        return static_cast<std::uint32_t>(memory_bytes.load(std::memory_order_relaxed) /
                                          unit_bytes);
    }

    // Reserves `wanted_bytes` of memory and the tables, or half as much, and so on while the source
    // refuses. Returns whether it is open now. Requires: it is not.
    template <PageSource Source> bool open(Source& source, std::size_t wanted_bytes) noexcept;
    template <PageSource Source> void close(Source& source) noexcept;
};

// The smallest slab has 4 units, so there are never more records than a quarter of the units.
constexpr std::size_t table_bytes_for(std::size_t units) {
    return align_up(units * (sizeof(Kind) + sizeof(std::uint32_t)) +
                        (units / 4 + 1) * sizeof(SlabRecord) + alignof(SlabRecord),
                    page_bytes);
}

template <PageSource Source> bool Region::open(Source& source, std::size_t wanted_bytes) noexcept {
    constexpr std::size_t least_bytes = std::size_t{256} << 10;
    constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
    for (std::size_t bytes = wanted_bytes; bytes >= least_bytes; bytes /= 2) {
        const std::size_t units = bytes / unit_bytes;
        const std::size_t all_bytes = bytes + table_bytes_for(units);
        const std::size_t alignment = bytes >= 8 * huge_page_bytes ? huge_page_bytes : page_bytes;
        void* memory = nullptr;
        if constexpr (ReservingSource<Source>) {
            memory = source.reserve(all_bytes, alignment);
        } else {
            memory = source.map(all_bytes, alignment);
        }
        if (memory == nullptr) {
            continue;
        }
        base = static_cast<std::byte*>(memory);
        slabs = reinterpret_cast<SlabRecord*>(base + bytes);
        tags = reinterpret_cast<std::uint32_t*>(slabs + units / 4 + 1);
        kinds = reinterpret_cast<Kind*>(tags + units);
        if constexpr (!Source::maps_zeroed) {
            std::memset(base + bytes, 0, all_bytes - bytes);
        }
        mapped_bytes = all_bytes;
        memory_bytes.store(bytes, std::memory_order_release);
        return true;
    }
    return false;
}

template <PageSource Source> void Region::close(Source& source) noexcept {
    if (is_open()) {
        memory_bytes.store(0, std::memory_order_release);
        source.unmap(base, mapped_bytes);
    }
}

} // namespace alloclab::pool
