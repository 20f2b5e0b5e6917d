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
             offset += page_bytes)
            [[unlikely]] {
                first[offset] = 1;
            }
    }

    // Writes to `pages` of the pages it lies on: the first ones, or, where they were no run from
    // the start, the last one and else the first. A malloc writes its own words right behind a
    // block, so its last page is resident although the program never came near it (of Freeciv's
    // 1,140 blocks of 8 MB, 1,136 are so); pages spread over the block would all be faults that
    // the program did not have.
    static void part(void* start, std::size_t size, std::uint64_t pages, bool is_prefix) {
        const auto address = reinterpret_cast<std::uintptr_t>(start);
        const std::uintptr_t base = align_down(address, page_bytes);
        const std::uint64_t spanned = (align_up(address + size, page_bytes) - base) / page_bytes;
        if (pages > spanned) {
            pages = spanned;
        }
        for (std::uint64_t index = 0; index < pages; ++index) {
            const bool is_last = !is_prefix && index + 1 == pages;
            const std::uintptr_t at = base + (is_last ? spanned - 1 : index) * page_bytes;
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
