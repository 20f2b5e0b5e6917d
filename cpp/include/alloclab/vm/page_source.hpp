// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace alloclab {

// Where allocators get whole pages from, and the seam where limits, counting and faults are put in.
// `map(bytes, alignment)` returns `bytes` of readable, writable memory or null, and `unmap(p,
// bytes)` takes back exactly what one `map` gave. Sizes are multiples of the page, alignments
// powers of two of at least a page. Neither throws nor uses the heap, so a source may serve a
// program's malloc. `maps_zeroed` says whether what `map` returns is known to be zero.
template <class S>
concept PageSource = requires(S& source, void* memory, std::size_t bytes, std::size_t alignment) {
    { source.map(bytes, alignment) }
    noexcept->std::same_as<void*>;
    { source.unmap(memory, bytes) }
    noexcept->std::same_as<void>;
    { S::maps_zeroed } -> std::convertible_to<bool>;
};

// A source with address space to spare: `reserve` is `map`, but most of the range may never be
// touched, so that it promises no memory. It is given back by `unmap`.
template <class S>
concept ReservingSource = PageSource<S> &&
    requires(S& source, std::size_t bytes, std::size_t alignment) {
    { source.reserve(bytes, alignment) }
    noexcept->std::same_as<void*>;
};

// A source that can take the memory behind mapped pages back. They read as zero afterwards.
template <class S>
concept PurgingSource = PageSource<S> && requires(S& source, void* memory, std::size_t bytes) {
    { source.purge(memory, bytes) }
    noexcept->std::same_as<void>;
};

// A source that can fault pages in before they are touched, cheaper than one at a time.
template <class S>
concept PopulatingSource = PageSource<S> && requires(S& source, void* memory, std::size_t bytes) {
    { source.populate(memory, bytes) }
    noexcept->std::same_as<void>;
};

// A source that can back a range by huge pages.
template <class S>
concept HugePageSource = PageSource<S> && requires(S& source, void* memory, std::size_t bytes) {
    { source.use_huge_pages(memory, bytes) }
    noexcept->std::same_as<void>;
};

// A source that moves pages instead of copying them: `move(from, to, bytes)` makes `to` hold what
// `from` held and leaves `from` mapped, reading as zero. Returns false, having done nothing, where
// it cannot.
template <class S>
concept MovingSource = PageSource<S> &&
    requires(S& source, void* from, void* to, std::size_t bytes) {
    { source.move(from, to, bytes) }
    noexcept->std::same_as<bool>;
};

// A source that can make a range longer where it stands: `extend(p, bytes, new_bytes)` does so for
// one `map` gave, which from then on is unmapped as `new_bytes`. Returns false, having changed
// nothing, where what follows the range is taken.
template <class S>
concept ExtendingSource = PageSource<S> && requires(S& source, void* memory, std::size_t bytes) {
    { source.extend(memory, bytes, bytes) }
    noexcept->std::same_as<bool>;
};

// A source that can make touching mapped pages a fault, and take that back. What they hold stays.
template <class S>
concept ProtectingSource = PageSource<S> && requires(S& source, void* memory, std::size_t bytes) {
    { source.protect(memory, bytes) }
    noexcept->std::same_as<void>;
    { source.unprotect(memory, bytes) }
    noexcept->std::same_as<void>;
};

// A source that knows the time, for allocators that give memory back after a while: nanoseconds
// that never run backwards, from any start. Cheap, and right to some milliseconds.
template <class S>
concept TimedSource = PageSource<S> && requires(S& source) {
    { source.now_ns() }
    noexcept->std::same_as<std::uint64_t>;
};

} // namespace alloclab
