// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/page_source.hpp>

namespace alloclab {

// Pages from the operating system: private anonymous mappings. It has no state, is safe for any
// number of threads, and keeps errno except where `map` or `reserve` returns null.
class OsPageSource {
public:
    static constexpr bool maps_zeroed = true;

    // Returns zeroed memory, or null with errno set. Requires: `bytes` is a positive multiple of
    // the page, `alignment` a power of two. Cost: one system call, up to three above page
    // alignment.
    void* map(std::size_t bytes, std::size_t alignment) noexcept;

    // The same without a promise of memory, for ranges much larger than what will be touched.
    void* reserve(std::size_t bytes, std::size_t alignment) noexcept;

    void unmap(void* memory, std::size_t bytes) noexcept;
    void purge(void* memory, std::size_t bytes) noexcept;
    void populate(void* memory, std::size_t bytes) noexcept;
    void use_huge_pages(void* memory, std::size_t bytes) noexcept;
    bool move(void* from, void* to, std::size_t bytes) noexcept;
    bool extend(void* memory, std::size_t bytes, std::size_t new_bytes) noexcept;
    void protect(void* memory, std::size_t bytes) noexcept;
    void unprotect(void* memory, std::size_t bytes) noexcept;
    std::uint64_t now_ns() noexcept;
};

static_assert(ReservingSource<OsPageSource> && PurgingSource<OsPageSource> &&
              PopulatingSource<OsPageSource> && HugePageSource<OsPageSource> &&
              MovingSource<OsPageSource> && ExtendingSource<OsPageSource> &&
              ProtectingSource<OsPageSource> && TimedSource<OsPageSource>);

} // namespace alloclab
