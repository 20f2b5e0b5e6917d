// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab {

// How a kernel writes to the blocks it gets: the write is what makes a page resident.
struct TouchPages {
    // Writes to each page that the block lies on.
    static void block(void* start, std::size_t size) {
        if (size == 0) [[unlikely]] {
            return;
        }
        auto* const first = static_cast<volatile char*>(start);
        *first = 1;
        const auto address = reinterpret_cast<std::uintptr_t>(start);
        for (std::size_t offset = page_bytes - address % page_bytes; offset < size;
             offset += page_bytes) [[unlikely]] {
            first[offset] = 1;
        }
    }

    // Writes to `pages` of the pages it lies on: the first ones, or spread evenly.
    static void part(void* start, std::size_t size, std::uint64_t pages, bool is_prefix) {
        const auto address = reinterpret_cast<std::uintptr_t>(start);
        const std::uintptr_t end = address + size;
        const std::uintptr_t base = align_down(address, page_bytes);
        const std::uint64_t spanned = (align_up(end, page_bytes) - base) / page_bytes;
        if (pages > spanned) {
            pages = spanned;
        }
        for (std::uint64_t index = 0; index < pages; ++index) {
            const std::uint64_t page =
                is_prefix ? index : static_cast<std::uint64_t>(
                                        static_cast<__uint128_t>(index) * spanned / pages);
            const std::uintptr_t at = base + page * page_bytes;
            *reinterpret_cast<volatile char*>(at < address ? address : at) = 1;
        }
    }
};

struct TouchNothing {
    static void block(void*, std::size_t) {}
    static void part(void*, std::size_t, std::uint64_t, bool) {}
};

struct TouchAll {
    static void block(void* start, std::size_t size) { std::memset(start, 1, size); }
    static void part(void* start, std::size_t size, std::uint64_t, bool) { block(start, size); }
};

} // namespace alloclab
