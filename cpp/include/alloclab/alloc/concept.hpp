// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/allocation_site.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// Every block is at least this aligned, whatever smaller alignment was asked for, unless an
// allocator's header says otherwise: what the C library promises on x86-64.
inline constexpr std::size_t default_alignment = 16;

// What every allocator of the lab offers. `allocate(size, alignment)` returns a block of at least
// `size` bytes at a multiple of `alignment`, or null; a size of zero gives a block of its own.
// `deallocate(p, size, alignment)` takes it back, told what was asked for; null is ignored.
// Requires: `alignment` is a power of two. Both are noexcept. A capability an allocator does not
// have is absent, not a function that fails: ask with the concepts below.
template <class A>
concept Allocator = requires(A& allocator, void* block, std::size_t size, std::size_t alignment) {
    { allocator.allocate(size, alignment) }
    noexcept->std::same_as<void*>;
    { allocator.deallocate(block, size, alignment) }
    noexcept->std::same_as<void>;
};

// `resize(p, old_size, new_size, alignment)` changes a block's size where it stands; from then on
// the block's size is `new_size`. Returns false, having changed nothing, where it cannot.
template <class A>
concept Resizable = Allocator<A> &&
    requires(A& allocator, void* block, std::size_t size, std::size_t alignment) {
    { allocator.resize(block, size, size, alignment) }
    noexcept->std::same_as<bool>;
};

// `reset()` ends the life of every block at once; the allocator stays usable.
template <class A>
concept Resettable = Allocator<A> && requires(A& allocator) {
    { allocator.reset() }
    noexcept->std::same_as<void>;
};

// `owns(p)` tells whether memory of this allocator stands at `p`.
template <class A>
concept Owning = Allocator<A> && requires(const A& allocator, const void* block) {
    { allocator.owns(block) }
    noexcept->std::same_as<bool>;
};

// `usable_size(p)` tells how many bytes a live block really has, from its address alone.
template <class A>
concept Measurable = Allocator<A> && requires(const A& allocator, const void* block) {
    { allocator.usable_size(block) }
    noexcept->std::same_as<std::size_t>;
};

// `allocate_zeroed(size, alignment)` is `allocate`, the block reading as zero: cheaper than
// clearing it, because the allocator knows which memory is fresh.
template <class A>
concept Zeroing = Allocator<A> && requires(A& allocator, std::size_t size, std::size_t alignment) {
    { allocator.allocate_zeroed(size, alignment) }
    noexcept->std::same_as<void*>;
};

// `deallocate(p)` without the size, for callers who were never told it, like C's free.
template <class A>
concept UnsizedDeallocating = Allocator<A> && requires(A& allocator, void* block) {
    { allocator.deallocate(block) }
    noexcept->std::same_as<void>;
};

// `mark()` remembers a point, `rewind(mark)` ends the life of everything allocated since. Marks are
// rewound in the opposite order they were taken in. An allocator that recognises a mark it must not
// follow returns whether it did, and changes nothing where it did not.
// Requires: between the two no block older than the mark is resized in place: what it grew over was
// taken since, and the rewind gives it to the next block. Nothing checks that.
template <class A>
concept Rewindable = Allocator<A> && requires(A& allocator) {
    { allocator.rewind(allocator.mark()) }
    noexcept;
};

// `stats()` tells what the allocator holds. All have `reserved_bytes` (mapped) and
// `committed_bytes` (mapped and, as far as the allocator knows, backed by memory).
template <class A>
concept Reporting = Allocator<A> && requires(const A& allocator) {
    { allocator.stats().reserved_bytes } -> std::convertible_to<std::size_t>;
    { allocator.stats().committed_bytes } -> std::convertible_to<std::size_t>;
};

// `allocate(size, alignment, site)` is `allocate`, told where the request comes from. Who keeps the
// site copies its texts.
template <class A>
concept Noting = Allocator<A> && requires(A& allocator, std::size_t size, AllocationSite site) {
    { allocator.allocate(size, size, site) }
    noexcept->std::same_as<void*>;
};

// Called with each figure an allocator keeps.
struct StatVisitor {
    void (*visit)(void* context, const char* name, std::uint64_t value) = nullptr;
    void* context = nullptr;
    void operator()(const char* name, std::uint64_t value) const { visit(context, name, value); }
};

// `visit_stats(visitor)` calls the visitor for every figure the allocator keeps, those of the
// allocators within it included: for those who keep more than `stats()` says.
template <class A>
concept Counting = Allocator<A> && requires(const A& allocator, StatVisitor visitor) {
    { allocator.visit_stats(visitor) }
    noexcept->std::same_as<void>;
};

// Whether an allocator leaves the memory of ended blocks as it is through a reset, until it hands
// it out again: what may be poisoned then. Say so for each that does, and pass it on in
// combinators.
template <class A> inline constexpr bool leaves_ended_memory_alone = false;

// Settings by name, without the heap: `set` returns false, having changed nothing, for a name it
// does not know or a value it does not take.
template <class O>
concept OptionSet = std::default_initializable<O> &&
    requires(O& options, std::string_view name, std::string_view value) {
    { options.set(name, value) }
    noexcept->std::same_as<bool>;
};

} // namespace alloclab
